return {
  out = {
    "defaults\tProcess-1\tfalse\tProcess-2\tfalse",
    "given\tw\ttrue",
    "hello world kindly",
    "mistake\tfalse",
  },
}
