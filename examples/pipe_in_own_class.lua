-- A class that hides its pipe: its methods send, its `run` answers in the child. When the child is
-- killed its parent learns of it at once.

local process = require "process"

local Calculator = process.Process:extend "Calculator"

function Calculator:init()
  self.here, self.there = process.Pipe()
end

function Calculator:run()
  self.here:close() -- else this process would be one of those that have the other end
  while true do
    local job, word = self.there:recv()
    if word == "eof" then return end
    self.there:send(job.f(table.unpack(job)))
  end
end

function Calculator:call(f, ...)
  self.here:send{ f = f, ... }
  local result, word = self.here:recv()
  return result or word
end

local calculator = Calculator()
calculator:start()
calculator.there:close()
print(calculator:call(math.max, 3, 9, 4))
print(calculator:call(function(a, b) return a .. b end, "to", "gether"))
calculator:kill()
print(calculator:call(math.max, 1, 2))
calculator:join()
print(calculator.exitcode)
