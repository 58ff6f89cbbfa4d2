return {
  out = {
    "while alive\tfalse\t<why>",
    "closed\tProcess-1",
    "is_alive\tfalse\t<why>",
    "join\tfalse\t<why>",
    "closed again",
  },
  where = { why = ".*process.*" },
}
