return {
  out = { "child\twang\t10", "false\t<why>", "soup\ttea" },
  where = { why = ".*agee.*name, age.*" },
}
