-- Main ends, and with it its daemon, although another child still runs and is waited for: a daemon
-- serves main alone.

local process = require "process"

local function ticks(name, n)
  for i = 1, n do
    print(name, i)
    process.sleep(0.1)
  end
end

process.Process{ target = ticks, args = { "daemon", 50 }, daemon = true }:start()
process.Process{ target = ticks, args = { "child", 5 } }:start()
print("main end")
