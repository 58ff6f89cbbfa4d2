-- All children are started, then all are joined: it takes as long as the longest of them.

local process = require "process"

local function work(name, n)
  print(name)
  process.sleep(n * 0.2)
  print(n)
end

local list = {}
local begin = process.now()
for i = 1, 3 do
  local p = process.Process{ target = work, args = { "hkw", i } }
  p:start()
  list[#list + 1] = p
end
for _, p in ipairs(list) do
  p:join()
end
print("main", ("%.2f"):format(process.now() - begin))
