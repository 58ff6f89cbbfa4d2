-- A number goes to another process through a pipe and comes back through it: one round trip.
-- Arguments: the CPU of this process and the CPU of the other, because placement decides latency.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 1000

local here, there = assert(arg[1], "the CPU of this side"), assert(arg[2], "the CPU of the other")
local mine, theirs = process.Pipe()

local function pin(cpu)
  assert(os.execute(("taskset -cp %s %d >/dev/null"):format(cpu, process.getpid())))
end

local function echo()
  pin(there)
  repeat
    local v = theirs:recv()
    theirs:send(v)
  until not v
end

local player = process.Process{ target = echo, daemon = true }
player:start()
pin(here)
measure(N, function()
  for i = 1, N do
    mine:send(i)
    assert(mine:recv() == i)
  end
end)
mine:send(false)
player:join()
