return {
  out = { mixed = true, { times = { 0, 1 }, "Lin lives" }, "main" },
  seconds = { 0, 1.9 },
}
