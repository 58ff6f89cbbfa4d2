return {
  out = {
    "ready at once\t0", "ready\t1\tfirst\t0",
    "ready at once\t0", "ready\t1\tsecond\t0",
    "ready at once\t0", "ready\t1\tthird\t0",
    "word\ttrue\ta word of the first",
  },
}
