-- Why a pool: a fixed number of processes is made once, and each does many tasks.

local process = require "process"

local pool <close> = process.Pool(3)
local workers = {}
for _, child in ipairs(process.active_children()) do workers[child.pid] = child.name end

local inputs = {}
for i = 1, 20 do inputs[i] = i end
local pids = pool:map(function()
  process.sleep(0.01)
  return process.getpid()
end, inputs, 1) -- in chunks of one task

local tasks, different = {}, 0
for _, pid in ipairs(pids) do
  assert(workers[pid], "a process that was not made with the pool")
  if not tasks[pid] then different = different + 1 end
  tasks[pid] = (tasks[pid] or 0) + 1
end
print("tasks", #pids)
print("at most three processes", different <= 3)
print("one of them did several", (tasks[pids[1]] or 0) > 1)
print("none of them is main", tasks[process.getpid()] == nil)
print("workers started in all", 3 + pool:stats().restarts)
