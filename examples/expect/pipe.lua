return {
  out = { "main got\t42\tnil\thello", "the child got\tthanks", "then\tnil\teof", "line 1",
    "line 2", "line 3" },
}
