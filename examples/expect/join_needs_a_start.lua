return {
  out = {
    "not started:\tfalse\t<why>",
    { times = 2, "work runs in main:\ttrue" },
    "only run:\tfalse\t<why>",
    "pid:\tnil\tchildren:\t0",
  },
  where = { why = ".*can only join a started process.*" },
}
