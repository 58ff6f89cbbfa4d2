return {
  out = { "top level", "active children\t1\ttrue", "child runs" },
}
