return {
  out = {
    { times = 6, "plate\ttrue" },
    "never more than room for\ttrue",
    "later\tfalse\ttimeout",
    "held again\ttrue",
  },
}
