-- cpu_count tells how many processes can compute at the same time, active_children which children
-- live right now.

local process = require "process"

local function work(num)
  process.sleep(num * 0.01)
  print("Process:", num)
end

for i = 0, 99 do
  process.Process{ target = work, args = { i } }:start()
end

print("CPU number: " .. process.cpu_count())
for _, p in ipairs(process.active_children()) do
  print("Child process name: " .. p.name .. " id: " .. p.pid)
end
print("Process Ended")
