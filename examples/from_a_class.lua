-- The second way to make a process: from a class with a run of its own.

local process = require "process"

local My = process.Process:extend("My")

function My:run()
  print("hkw", self.name)
  process.sleep(0.1)
  print("1")
  process.sleep(0.1)
  print("2")
end

My():start()
print("main")
