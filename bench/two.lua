-- What measures two processes: the other one runs `other` on the second CPU of the command line,
-- this one goes on on the first, because placement decides latency.

local process = require "process"

local here, there = assert(arg[1], "the CPU of this side"), assert(arg[2], "the CPU of the other")

local function pin(cpu)
  assert(os.execute(("taskset -cp %s %d >/dev/null"):format(cpu, process.getpid())))
end

--- Starts the other process, and returns it.
return function(other)
  local function run()
    pin(there)
    other()
  end
  local started = process.Process{ target = run, daemon = true }:start()
  pin(here)
  return started
end
