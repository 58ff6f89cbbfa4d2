return {
  out = {
    "1\t1\tnil", "2\t4\tnil", "3\tnil\tworker lost", "4\t16\tnil",
    "false\t3\tworker PoolWorker-<n> (pid <pid>) exited with status 7 in task 3 of map, attempt 3",
    "tries\t4", "workers\t2",
  },
  where = { n = "%d+", pid = "%d+" },
}
