return {
  out = {
    {
      mixed = true,
      { times = { 0, 2 }, "daemon\t<n>" },
      "main end",
      { "child\t1", "child\t2" },
    },
    { "child\t3", "child\t4", "child\t5" },
  },
  where = { n = "[12]" },
  seconds = { 0.5, 4.5 },
}
