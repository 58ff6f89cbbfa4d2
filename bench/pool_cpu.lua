-- map over tasks of about a millisecond that compute, on so many workers; the time is that of one
-- task. With as many workers as processors it should fall as their number rises.

local process = require "process"
local measure = dofile "bench/measure.lua"

local workers = tonumber((...)) or 2
local N <const> = 100
local STEPS <const> = 200000 -- about a millisecond

local function compute(x)
  for i = 1, STEPS do
    x = x ~ i * 7
  end
  return x
end

local list = {}
for i = 1, N do
  list[i] = i
end

local pool <close> = process.Pool(workers)
measure(N, function()
  assert(#pool:map(compute, list) == N)
end)
