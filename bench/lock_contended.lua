-- A lock that two processes take in turn as fast as they can: one acquire and release of either.
-- Arguments: their CPUs. Both do the same number, and the time ends when both have.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 5000

local here, there = assert(arg[1], "the CPU of this side"), assert(arg[2], "the CPU of the other")
local lock, go, done = process.Lock(), process.Queue(), process.Queue()

local function pin(cpu)
  assert(os.execute(("taskset -cp %s %d >/dev/null"):format(cpu, process.getpid())))
end

local function work()
  for _ = 1, N do
    lock:acquire()
    lock:release()
  end
end

local function other()
  pin(there)
  while go:get() do
    work()
    done:put(true)
  end
end

process.Process{ target = other, daemon = true }:start()
pin(here)
measure(2 * N, function()
  go:put(true)
  work()
  done:get()
end)
