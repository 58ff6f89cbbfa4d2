return {
  out = { mixed = true, { times = 3, "hello" }, "main end" },
  outlives = 5, -- nobody waits for raw children
}
