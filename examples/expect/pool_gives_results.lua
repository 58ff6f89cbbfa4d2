return {
  out = { "by hand\t0", "0 1 4 9 16 25 36 49 64 81" },
  -- Ten tasks of 0.05 s on two workers.
  seconds = { 0.29, 5 },
}
