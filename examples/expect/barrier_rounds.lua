return {
  out = {
    { times = 3, "all are here, steps: 3" },
    "waiting\t0\tbroken\tfalse",
    "alone\tnil\tbroken",
    "broken\ttrue\tnil\tbroken",
    "the other one\tbroken",
  },
}
