return {
  out = { "three forks", { times = 7, "hello" } },
  outlives = 5, -- nobody waits for raw children
}
