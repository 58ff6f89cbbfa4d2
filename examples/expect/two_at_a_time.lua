return {
  out = {
    { times = 5, "at most two" },
    "free seats\t2\t<BoundedSemaphore(value=2, maxvalue=2)>",
    "one too many\tfalse",
    "true\ttrue\ttrue",
    "no seat\tfalse\ttimeout",
    "no seat for a while\tfalse\ttimeout",
  },
}
