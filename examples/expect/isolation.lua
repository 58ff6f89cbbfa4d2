return {
  out = { "child lin", "main jon" },
}
