-- start makes the process, which calls run. A class of one's own has its own run; without one, run
-- calls the target; without a target it does nothing.

local process = require "process"

local main_pid = process.getpid()

local function in_child() return process.getpid() ~= main_pid end

local My = process.Process:extend("My")

function My:run()
  print("own run", self.name, "in the child:", in_child())
end

My():start():join()

local with_target = process.Process{ target = function()
  print("target", "in the child:", in_child())
end }
with_target:start()
with_target:join()

local empty = process.Process{}
empty:start()
empty:join()
print("neither", empty.exitcode)
