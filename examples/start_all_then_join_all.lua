-- Start several, keep them in a list, join them in a loop: they run at the same time, so it takes
-- as long as the longest of them.

local process = require "process"

local function work(seconds)
  process.sleep(seconds)
end

local begin = process.now()
local list = {}
for i = 1, 3 do
  local p = process.Process{ target = work, args = { 0.3 + i / 10 } }
  p:start()
  list[#list + 1] = p
end
for _, p in ipairs(list) do p:join() end

for _, p in ipairs(list) do print(p.name, p.exitcode) end
print("active children", #process.active_children())
print(("%.2f seconds"):format(process.now() - begin))
