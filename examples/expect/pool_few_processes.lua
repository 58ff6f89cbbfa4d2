return {
  out = {
    "tasks\t20", "at most three processes\ttrue", "one of them did several\ttrue",
    "none of them is main\ttrue", "workers started in all\t3",
  },
}
