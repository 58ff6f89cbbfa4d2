return {
  out = { "child\t2\t1", "main\t1\t0", "child\tgreen", "main\tblue" },
}
