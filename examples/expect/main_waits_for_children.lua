return {
  out = {
    { mixed = true, { times = 5, "running work" }, "main end" },
    { times = 5, "running work" },
  },
  seconds = { 0.5, 4 },
}
