-- A variable that a child sets is set in the child alone.

local process = require "process"

local name = "jon"

local function work()
  name = "lin"
  print("child " .. name)
end

local p = process.Process{ target = work }
p:start()
p:join()
print("main " .. name)
