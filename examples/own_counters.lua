-- Each of five processes adds one to a variable. They do not share it: each counts from 0 to 1.

local process = require "process"

local a = 0
local jobs = {}
for i = 1, 5 do
  jobs[i] = process.Process{ target = function()
    a = a + 1
    io.write(a, " ") -- comes out at the end of the process at the latest
  end }
  jobs[i]:start()
end
for _, p in ipairs(jobs) do p:join() end
print()
print("main", a)
