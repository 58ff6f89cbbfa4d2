return {
  out = { "4", "9", "16" },
  err = {
    "mpl: deadlock: all processes are asleep",
    "  MainProcess (pid <pid>) waits for the end of worker",
    "  worker (pid <pid>) waits for an item of Queue 'jobs'",
    { times = { 4, 30 }, "<trace>" },
  },
  where = { pid = "%d+", trace = ".+" },
  status = 1,
  seconds = { 1, 15 },
}
