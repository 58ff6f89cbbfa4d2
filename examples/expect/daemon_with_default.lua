return {
  out = {
    "Lin lives",
    "Lin dies",
    "too late\tfalse\t<why>",
    "Jon lives",
    "Jon dies",
    "main",
  },
  where = { why = ".*process has already started.*" },
}
