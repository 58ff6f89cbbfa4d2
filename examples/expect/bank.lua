return {
  out = {
    "always 300\ttrue",
    "false\tann has not that much",
    "after the robbery\t300",
  },
}
