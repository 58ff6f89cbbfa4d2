return {
  out = {
    "with a lock\t1000",
    "with the value's own\t1000",
    "in one step\t1000",
    "without, at most 1000\ttrue",
  },
}
