return {
  out = {
    "Queue\t1",
    "mpl: still referred to at the end of the program:",
    "  Lock 'cache', held by MainProcess",
    "  Queue #<number> made at <place>, held by MainProcess",
    "  Event 'reply', held by other objects",
  },
  where = { number = "%d+", place = "[%w_./]+:%d+" },
  seconds = { 0, 8 },
}
