return {
  out = {
    "xx\ttrue",
    "nil\tempty",
    "waited <t> seconds",
    "one\ttwo\tthree",
    "items\t300\tdifferent\t300",
  },
  where = { t = { 0.19, 3 } },
}
