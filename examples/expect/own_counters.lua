return {
  out = { "1 1 1 1 1 ", "main\t0" },
}
