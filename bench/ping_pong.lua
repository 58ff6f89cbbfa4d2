-- A number goes to another process over one queue and comes back over a second: one round trip.
-- Arguments: the CPU of this process and the CPU of the other, because placement decides latency.

local process = require "process"
local measure = dofile "bench/measure.lua"
local beside = dofile "bench/two.lua"

local N <const> = 1000

local ping, pong = process.Queue(), process.Queue()

local function echo()
  repeat
    local v = ping:get()
    pong:put(v)
  until not v
end

local player = beside(echo)
measure(N, function()
  for i = 1, N do
    ping:put(i)
    assert(pong:get() == i)
  end
end)
ping:put(false)
player:join()
