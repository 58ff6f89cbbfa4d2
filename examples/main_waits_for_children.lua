-- Main's last line is not the end of the program: it waits for children that are no daemons.

local process = require "process"

local function work()
  for _ = 1, 10 do
    print("running work")
    process.sleep(0.05)
  end
end

process.Process{ target = work }:start()
print("main end")
