return {
  out = { "from a child", "from another child", "sum of\t20\t22\tis\t42" },
}
