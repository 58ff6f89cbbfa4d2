-- close: no more tasks. join: wait for the end of the workers, after close or terminate only.

local process = require "process"

local pool = process.Pool(2)
local function func(n)
  process.sleep(0.02)
  return n
end

local results = pool:map_async(func, { 1, 2, 3, 4 }, 1)
print(pcall(pool.join, pool))
pool:close()
print(pcall(pool.apply, pool, func, { 5 }))
pool:join()
print("ready", results:ready(), table.concat(results:get(), " "))
print("workers", #process.active_children())
