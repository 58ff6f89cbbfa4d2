return {
  out = {
    "polling\t42", "waiting\ttrue\t42", "callback\t42", "error callback\tno luck",
  },
}
