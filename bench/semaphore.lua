-- Two processes give each other tokens of two semaphores: one round trip. Arguments: their CPUs.

local process = require "process"
local measure = dofile "bench/measure.lua"
local beside = dofile "bench/two.lua"

local N <const> = 1000

local ping, pong = process.Semaphore(0), process.Semaphore(0)

local function echo()
  while true do
    ping:acquire()
    pong:release()
  end
end

beside(echo)
measure(N, function()
  for _ = 1, N do
    ping:release()
    pong:acquire()
  end
end)
