return {
  out = {
    "false\t<join>", "false\t<apply>", "ready\ttrue\t1 2 3 4", "workers\t0",
  },
  where = {
    join = ".*close or terminate it first", apply = ".*the pool is closed and takes no more work",
  },
}
