return {
  out = {
    "join\tbefore: <ended>\ttrue\tafter: gone",
    "is_alive\tbefore: <ended>\tfalse\tafter: gone",
    "exitcode\tbefore: <ended>\t0\tafter: gone",
    "children\tbefore: <ended>\t0\tafter: gone",
  },
  where = { ended = { "zombie", "gone" } },
}
