return {
  out = {
    "daemon\tfalse\t<why>",
    "grandchild runs",
    "ordinary\ttrue",
  },
  where = { why = ".*daemonic processes are not allowed to have children.*" },
}
