-- What is measured, and what is asked of it: one entry per line of the table, in its order.
--
--   name     what selects it on the command line
--   label    what the table calls it
--   program  bench/<program>.lua and .py, which do the same work; a program prints the nanoseconds
--            of one operation
--   args     their arguments
--   floors   commands of floor.c; the first is the floor of the table's line, the others are shown
--            under it as { command, label }; with `lua = true` the command is that of a script in
--            bench/, and its arguments
--   faster   target: at least so many times as fast as CPython
--   within   target: at most so many times the time of the floor
--   bytes    bytes moved by an operation, shown as a rate too

--- The list, for a machine.
-- `machine.cpus`: the numbers of the CPUs there are to run on.
-- `machine.weight`: KiB of private memory of an mpl that has loaded the module.
return function(machine)
  local first, second = machine.cpus[1], machine.cpus[2]
  local one = ("%d %d"):format(first, first)
  local two = second and ("%d %d"):format(first, second)
  local list = {
    {
      -- The least a new process costs: a small C program forks, its child does nothing but _exit,
      -- and is waited for. Forking copies page tables, so it costs more the more memory is in use;
      -- the second floor has as much of it as mpl, the third is a Lua state.
      name = "start_join", label = "start + join, empty target", program = "start_join",
      floors = {
        { "fork" }, { ("fork %d"):format(machine.weight), "fork, as much memory as mpl" },
        { "fork_posix", "fork and wait in Lua, luaposix", lua = true },
      },
      faster = 8, within = 1.6,
    },
    {
      name = "queue_int", label = "queue, small integers", program = "queue_int",
      floors = two and {
        { "ring " .. two }, { "locked " .. two, "ring, robust lock on each side" },
      },
      faster = 20,
    },
    {
      name = "queue_table", label = "queue, small tables", program = "queue_table",
      faster = 10,
    },
    {
      name = "queue_string", label = "queue, 1 MiB strings", program = "queue_string",
      floors = two and { { "copy " .. two } },
      faster = 8, bytes = 1 << 20,
    },
    {
      name = "queue_string_bounded", label = "queue of 8, 1 MiB strings", program = "queue_string",
      args = "8", floors = two and { { "copy " .. two } }, bytes = 1 << 20,
    },
    {
      name = "queue_batch", label = "queue, integers by the hundred", program = "queue_batch",
      floors = two and { { "ring " .. two } },
    },
    {
      name = "value_lock", label = "Value, +1 under its lock", program = "value_lock",
      floors = { { "lock" } },
      faster = 2.5,
    },
    {
      -- CPython has no atomic addition: what keeps a count right there is the lock.
      name = "value_add", label = "Value, +1 by add", program = "value_add",
      faster = 8,
    },
    {
      name = "array_sum", label = "Array, sum of 1e6 doubles", program = "array_sum",
      faster = 5,
    },
    {
      name = "array_slice", label = "Array, the same through slice", program = "array_slice",
      faster = 1,
    },
    {
      name = "list_append", label = "list, append", program = "list_append",
      floors = { { "table_append", "append to a plain table", lua = true } },
      faster = 50,
    },
    {
      -- The floor is a plain table of Lua: what sharing costs.
      name = "dict_get", label = "dict, get", program = "dict", args = "get",
      floors = { { "dict get plain", lua = true } },
      faster = 50,
    },
    {
      name = "dict_set", label = "dict, set", program = "dict", args = "set",
      floors = { { "dict set plain", lua = true } },
      faster = 50,
    },
    {
      name = "dict_incr", label = "dict, incr", program = "dict", args = "incr",
      floors = { { "dict incr plain", lua = true } },
    },
    {
      name = "pool_map", label = "pool map, automatic chunks", program = "pool_map",
      faster = 1.2,
    },
    {
      name = "pool_map_1", label = "pool map, chunks of one", program = "pool_map",
      args = "1", faster = 10,
    },
    {
      name = "pool_imap", label = "pool imap_unordered", program = "pool_imap",
      faster = 10,
    },
    {
      name = "pool_apply", label = "pool apply", program = "pool_apply",
      faster = 15,
    },
    {
      name = "pool_apply_async", label = "pool apply_async", program = "pool_apply_async",
      faster = 10,
    },
    {
      name = "pool_payload", label = "pool map, 64 KiB", program = "pool_payload",
      faster = 4, bytes = 2 * 64 * 1024,
    },
    {
      name = "pool_create", label = "pool create + close + join", program = "pool_create",
      faster = 4,
    },
    {
      name = "ping_pong_1", label = "ping-pong, on one CPU", program = "ping_pong",
      args = one, floors = { { "futex " .. one } },
      within = 1.6,
    },
    {
      name = "pipe_ping_pong_1", label = "pipe ping-pong, on one CPU", program = "pipe_ping_pong",
      args = one, faster = 2,
    },
    {
      name = "lock", label = "lock, uncontended", program = "lock",
      floors = { { "lock" } },
      faster = 1,
    },
  }
  if two then
    table.insert(list, #list, {
      name = "ping_pong_2", label = "ping-pong, across two CPUs", program = "ping_pong",
      args = two, floors = { { "spin " .. two }, { "futex " .. two, "sleeping on futexes" } },
      faster = 30,
    })
    local across = {
      { "dict_two", "dict, two get and set", faster = 40 },
      { "lock_contended", "lock, two processes", faster = 1.5 },
      { "event", "event round trip", faster = 5 },
      { "semaphore", "semaphore round trip" },
      { "condition", "condition round trip" },
    }
    for _, entry in ipairs(across) do
      table.insert(list, { name = entry[1], program = entry[1], args = two, faster = entry.faster,
        label = entry[2] .. ", two CPUs" })
    end
  end
  if two then
    table.insert(list, #list, {
      -- The floor is one worker; two, on two processors, should take half of its time.
      name = "pool_cpu", label = "pool, 1 ms tasks, 2 workers", program = "pool_cpu",
      floors = { { "pool_cpu_one", lua = true } }, within = 0.55,
    })
    table.insert(list, #list, {
      name = "pipe_ping_pong_2", label = "pipe ping-pong, across two CPUs",
      program = "pipe_ping_pong", args = two, faster = 2,
    })
  end
  return list
end
