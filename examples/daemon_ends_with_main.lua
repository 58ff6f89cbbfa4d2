-- A daemon does not outlive main: it is ended where it is, in the middle of its work.

local process = require "process"

local function work()
  for _ = 1, 10 do
    print("running work")
    process.sleep(0.1)
    print("work end")
  end
end

local p = process.Process{ target = work }
p.daemon = true
p:start()
process.sleep(0.25)
print("main end")
