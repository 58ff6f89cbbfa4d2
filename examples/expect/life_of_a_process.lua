return {
  out = {
    "before\tnil\tnil\tfalse",
    "running\tinteger\ttrue\tnil\ttrue",
    "after\ttrue\t0\tfalse",
  },
}
