return {
  out = {
    "with a lock\t1000",
    "without\t<some>",
    "in turn\t<serial> s",
    "at once\t<parallel> s",
  },
  where = { some = { 0, 1000 }, serial = { 0.6, 5 }, parallel = { 0.2, 0.58 } },
}
