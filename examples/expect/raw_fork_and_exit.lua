return {
  out = { mixed = true, { times = 3, "hello" }, "main end" },
  outlives = 15, -- nobody waits for raw children
}
