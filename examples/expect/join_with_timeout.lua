return {
  out = { "join\tnil\ttimeout", "alive\ttrue", "join\ttrue", "<t> seconds", "join\ttrue" },
  where = { t = { 1, 5 } },
}
