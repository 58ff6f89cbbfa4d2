return {
  out = { "pid\ttrue", "terminate took <t> seconds", "exit code\t-15" },
  where = { t = { 0, 1 } },
  seconds = { 0, 10 },
}
