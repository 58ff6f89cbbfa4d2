return {
  out = {
    { times = { 0, 8 }, "running work", "work end" },
    "running work",
    { times = { 0, 1 }, "work end" },
    "main end",
  },
  seconds = { 0.25, 0.9 },
}
