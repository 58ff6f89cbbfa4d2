return {
  out = { { mixed = true, "main", "hkw\tMy-1" }, "1", "2" },
  seconds = { 0.2, 4 },
}
