-- A script needs no guard around the code that starts processes: a child does not run the script
-- again. And making a process without starting it does no harm.

local process = require "process"

print("top level")

local go = process.Event()

local p = process.Process(function()
  go:wait()
  print("child runs")
end)
p:start()

process.Process(function() print("never printed") end)

local children = process.active_children()
print("active children", #children, children[1] == p)
go:set()
