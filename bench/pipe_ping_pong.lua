-- A number goes to another process through a pipe and comes back through it: one round trip.
-- Arguments: the CPU of this process and the CPU of the other, because placement decides latency.

local process = require "process"
local measure = dofile "bench/measure.lua"
local beside = dofile "bench/two.lua"

local N <const> = 1000

local mine, theirs = process.Pipe()

local function echo()
  repeat
    local v = theirs:recv()
    theirs:send(v)
  until not v
end

local player = beside(echo)
measure(N, function()
  for i = 1, N do
    mine:send(i)
    assert(mine:recv() == i)
  end
end)
mine:send(false)
player:join()
