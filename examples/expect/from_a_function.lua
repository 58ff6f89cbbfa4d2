return {
  out = { { mixed = true, "main", "hkw" }, "1", "2", "3" },
  seconds = { 0.3, 4 },
}
