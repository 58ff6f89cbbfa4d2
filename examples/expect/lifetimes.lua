return {
  out = {
    "seen\t10\t55\t<Manager objects=2>",
    "behind the block\tfalse\t<place>: Value: manager is shut down",
    "made in a child\t<Manager objects=1>",
    "the sleeper\t<place>: wait: manager is shut down",
    "<Manager: manager is shut down>",
  },
  where = { place = "[^:]*:%d+" },
}
