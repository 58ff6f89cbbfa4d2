-- Two processes notify each other by a condition and wait: one round trip. Arguments: their CPUs.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 1000

local here, there = assert(arg[1], "the CPU of this side"), assert(arg[2], "the CPU of the other")
local c, ready = process.Condition(), process.Event()

local function pin(cpu)
  assert(os.execute(("taskset -cp %s %d >/dev/null"):format(cpu, process.getpid())))
end

local function echo()
  pin(there)
  c:acquire()
  ready:set()
  while true do
    c:wait()
    c:notify()
  end
end

process.Process{ target = echo, daemon = true }:start()
pin(here)
ready:wait()
c:acquire() -- the other one waits
measure(N, function()
  for _ = 1, N do
    c:notify()
    c:wait()
  end
end)
c:release()
