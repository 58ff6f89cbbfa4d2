return {
  out = { "Main process Ended!" },
  seconds = { 0, 0.95 },
}
