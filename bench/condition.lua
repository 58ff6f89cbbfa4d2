-- Two processes notify each other by a condition and wait: one round trip. Arguments: their CPUs.

local process = require "process"
local measure = dofile "bench/measure.lua"
local beside = dofile "bench/two.lua"

local N <const> = 1000

local c, ready = process.Condition(), process.Event()

local function echo()
  c:acquire()
  ready:set()
  while true do
    c:wait()
    c:notify()
  end
end

beside(echo)
ready:wait()
c:acquire() -- the other one waits
measure(N, function()
  for _ = 1, N do
    c:notify()
    c:wait()
  end
end)
c:release()
