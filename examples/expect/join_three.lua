return {
  out = {
    { mixed = true, "hkw", "jon", "liu" },
    { times = 3, "1" },
    { times = 3, "2" },
    "main\t<t>",
  },
  where = { t = { 0.4, 1.1 } }, -- one after the other: 1.2
}
