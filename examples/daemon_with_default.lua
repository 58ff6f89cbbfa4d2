-- "Live together, die together": a daemon, with a default for its parameter. It is made a daemon
-- before its start; later is too late.

local process = require "process"

local function work(name)
  name = name or "Jon"
  print(name .. " lives")
  process.sleep(0.2)
  print(name .. " dies")
end

local p = process.Process{ target = work, kwargs = { name = "Lin" } }
p.daemon = true
p:start()
local ok, why = pcall(function() p.daemon = true end)
p:join() -- without it the daemon would end with main
print("too late", ok, why)

local q = process.Process{ target = work, daemon = true }
q:start()
q:join()
print("main")
