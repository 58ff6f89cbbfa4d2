return {
  out = { "three forks", { times = 7, "hello" } },
  outlives = 15, -- nobody waits for raw children
}
