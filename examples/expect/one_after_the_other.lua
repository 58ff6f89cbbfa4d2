return {
  out = { "hkw", "1", "hkw", "2", "hkw", "3", "main\t<t>" },
  where = { t = { 0.6, 4 } },
}
