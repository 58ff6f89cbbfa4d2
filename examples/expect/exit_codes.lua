return {
  out = {
    "terminate\t-15",
    "kill\t-9",
    "return\t0",
    "os.exit(3)\t3",
    "os.exit(false)\t1",
    "error\t1",
  },
  err = {
    "Process <name> (pid <pid>): <place>: on purpose",
    "stack traceback:",
    { times = { 1, 20 }, "<frame>" },
  },
  where = { name = "Process%-%d+", place = "[%w_./]+:%d+", frame = "\t.+" },
  seconds = { 0, 8 },
}
