return {
  out = {
    "claimed and fetched\ttrue\ttwice\t0",
    "page 4 was seen\ttrue\tpage 100\tfalse",
  },
}
