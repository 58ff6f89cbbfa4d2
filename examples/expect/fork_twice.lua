return {
  out = { { mixed = true, "grandchild adopted\ttrue", "main end" }, "grandchild done" },
  seconds = { 0, 0.9 }, -- that of main alone
  outlives = 15,
}
