return {
  out = {
    "authkey\t32",
    "the child's is the same\ttrue",
    "before the start\tfalse\t<error>",
    "and in the child\ttrue",
    "sentinel\tinteger\ttrue",
    "while it runs\t0",
    "at its end\t1\ttrue",
  },
  where = { error = ".*process not started.*" },
}
