return {
  out = {
    "own run\tMy-1\tin the child:\ttrue",
    "target\tin the child:\ttrue",
    "neither\t0",
  },
}
