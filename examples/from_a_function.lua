-- The first way to make a process: from a function. Main goes on at once.

local process = require "process"

local function work(name)
  print(name)
  for i = 1, 3 do
    process.sleep(0.1)
    print(i)
  end
end

local p = process.Process{ target = work, args = { "hkw" } }
p:start()
print("main")
