return {
  out = {
    "unordered\t2\tinput 2", "unordered\t3\tinput 3", "unordered\t1\tinput 1",
    "in order\t1\tinput 1", "in order\t2\tinput 2", "in order\t3\tinput 3",
  },
}
