return {
  out = {
    "appended\t10\t<Manager objects=1>",
    "behind the block\tfalse\t<place>: list: manager is shut down",
    "y\t1\t5\t<Manager objects=3>",
    "made in a child\t<Manager objects=4>",
    "the sleeper\t<place>: wait: manager is shut down",
    "the entry\tfalse\t<place>: get: manager is shut down",
    "<Manager: manager is shut down>",
  },
  where = { place = "[^:]*:%d+" },
}
