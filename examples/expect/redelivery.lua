return {
  out = {
    "joined\ttrue",
    "workers killed\t1",
    "number 13\tattempt 2",
    "items\t100\tsum\t5050",
    "dropped\ttrue\tnil\tempty",
  },
  seconds = { 0, 20 },
}
