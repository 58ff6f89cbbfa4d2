-- Two processes wake each other by events: one round trip. Arguments: their CPUs.

local process = require "process"
local measure = dofile "bench/measure.lua"
local beside = dofile "bench/two.lua"

local N <const> = 1000

local ping, pong = process.Event(), process.Event()

local function echo()
  while true do
    ping:wait()
    ping:clear()
    pong:set()
  end
end

beside(echo)
measure(N, function()
  for _ = 1, N do
    ping:set()
    pong:wait()
    pong:clear()
  end
end)
