return {
  out = { "1\t2\tegon", "integer\tinteger\tstring", "egon\t18", "in process\tp1" },
}
