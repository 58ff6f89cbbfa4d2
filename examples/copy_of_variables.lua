-- Processes share no variables. A child works on a copy, taken at its start: it sees what the
-- parent changed before, neither sees what the other changes after.

local process = require "process"

local n, t = 1, {}

local counter = process.Process(function()
  n = n + 1
  t[1] = "x"
  print("child", n, #t)
end)
counter:start()
counter:join()
print("main", n, #t)

local colour = "red"
local go = process.Event()

local painter = process.Process(function()
  go:wait()
  print("child", colour)
end)
colour = "green" -- still in time
painter:start()
colour = "blue" -- too late for the child
go:set()
painter:join()
print("main", colour)
