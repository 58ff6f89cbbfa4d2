return {
  out = { { times = 3, "hkw" }, "1", "2", "3", "main\t<t>" },
  where = { t = { 0.6, 1.15 } }, -- one after the other: 1.2
}
