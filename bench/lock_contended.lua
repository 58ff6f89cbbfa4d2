-- A lock that two processes take in turn as fast as they can: one acquire and release of either.
-- Arguments: their CPUs. Both do the same number, and the time ends when both have.

local process = require "process"
local measure = dofile "bench/measure.lua"
local beside = dofile "bench/two.lua"

local N <const> = 5000

local lock, go, done = process.Lock(), process.Queue(), process.Queue()

local function work()
  for _ = 1, N do
    lock:acquire()
    lock:release()
  end
end

local function other()
  while go:get() do
    work()
    done:put(true)
  end
end

beside(other)
measure(2 * N, function()
  go:put(true)
  work()
  done:get()
end)
