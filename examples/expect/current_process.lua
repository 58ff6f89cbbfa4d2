return {
  out = {
    { mixed = true, { times = 5, "running work\t<child>" }, "main end\t<main>" },
    { times = 5, "running work\t<child>" },
  },
  seconds = { 0.5, 4 },
}
