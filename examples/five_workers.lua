-- Five processes in a list. Each prints its own number and its parent's.

local process = require "process"

local function worker()
  print(process.getpid(), process.getppid())
end

print("I am the parent process", process.getpid())
local jobs = {}
for i = 1, 5 do
  jobs[i] = process.Process{ target = worker, args = { i } }
  jobs[i]:start()
end
