return {
  out = {
    "at once\ttrue", "never begun, most of them\ttrue", "workers\t0",
    "false\tterminated\tthe pool was terminated before apply had finished",
  },
  seconds = { 0, 10 },
}
