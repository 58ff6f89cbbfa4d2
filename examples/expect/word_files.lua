return {
  out = { { times = 5, "<count> <word>" } },
  err = { { times = { 1, 10 }, "files: <bar>" } },
  where = { count = " *%d+", word = "%a+", bar = " *%d+%% %d+/%d+ .*" },
}
