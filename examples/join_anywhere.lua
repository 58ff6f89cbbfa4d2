-- join makes main wait for a child at the place where it stands. At the very end of a script it
-- is not needed: there main waits anyway.

local process = require "process"

local function work(name)
  for i = 1, 10 do
    print(name .. " runs", i)
    process.sleep(0.05)
    print(name .. " done", i)
  end
end

local p = process.Process{ target = work, args = { "child" } }
p:start()
print("parent runs")
process.sleep(0.05)
print("parent waits")
p:join()
print("parent ends")
