return {
  out = {
    "the worker logs at\tdebug",
    "port\t8080",
    "hosts\talpha beta gamma",
    "colour\tred",
    "a deep copy is plain\ttable\t8080",
  },
}
