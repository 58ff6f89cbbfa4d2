-- start and join in one loop: the next child starts when the one before has ended.

local process = require "process"

local function work(name, n)
  print(name)
  process.sleep(n * 0.1)
  print(n)
end

local begin = process.now()
for i = 1, 3 do
  local p = process.Process{ target = work, args = { "hkw", i } }
  p:start()
  p:join()
end
print("main", ("%.2f"):format(process.now() - begin))
