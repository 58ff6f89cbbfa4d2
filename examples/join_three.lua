-- Main goes on when its children are done. The three run at the same time: together they take as
-- long as one of them.

local process = require "process"

local function work(name)
  print(name)
  process.sleep(0.2)
  print("1")
  process.sleep(0.2)
  print("2")
end

local p = process.Process{ target = work, args = { "hkw" } }
local p1 = process.Process{ target = work, args = { "jon" } }
local p2 = process.Process{ target = work, args = { "liu" } }
local begin = process.now()
p:start()
p1:start()
p2:start()
p:join()
p1:join()
p2:join()
print("main", ("%.2f"):format(process.now() - begin))
