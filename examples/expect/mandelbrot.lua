return {
  out = { "240 x 160 pixels\t38400" },
  err = { { times = { 1, 10 }, "mandelbrot: <bar>" } },
  where = { bar = " *%d+%% %d+/160 .*" },
}
