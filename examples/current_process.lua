-- current_process tells a function in which process it runs. Main has nothing left to do, but its
-- child has.

local process = require "process"

local function work()
  for _ = 1, 10 do
    print("running work", process.current_process().pid)
    process.sleep(0.05)
  end
end

process.Process{ target = work }:start()
print("main end", process.current_process().pid)
