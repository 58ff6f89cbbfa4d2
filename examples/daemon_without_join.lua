-- Without a join such a daemon has no life of its own: main ends first.

local process = require "process"

local function work(name)
  print(name .. " lives")
  process.sleep(2)
  print(name .. " dies")
end

local p = process.Process{ target = work, kwargs = { name = "Lin" } }
p.daemon = true
p:start()
print("main")
