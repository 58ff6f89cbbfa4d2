return {
  out = {
    "Process-1\t0",
    "Process-2\t0",
    "Process-3\t0",
    "active children\t0",
    "<t> seconds",
  },
  where = { t = { 0.6, 1.4 } }, -- one after the other: 1.5
}
