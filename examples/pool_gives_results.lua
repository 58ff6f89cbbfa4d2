-- A process made by hand gives no result back; a pool's task does.

local process = require "process"

local function test(n)
  process.sleep(0.05)
  return n * n
end

local p = process.Process(test, 5):start() -- what it returns goes nowhere
p:join()
print("by hand", p.exitcode)

local pool = process.Pool(2)
local results = {}
for i = 0, 9 do results[#results + 1] = pool:apply_async(test, { i }) end
pool:close() -- no more tasks
pool:join() -- until the workers have ended

local values = {}
for i, result in ipairs(results) do values[i] = result:get() end
print(table.concat(values, " "))
