-- The sum of a shared array of doubles, one element after the other.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 1000000

local a = process.Array("d", N)
a:fill(0.5)

measure(N, function()
  local sum = 0.0
  for i = 1, #a do
    sum = sum + a[i]
  end
  assert(sum == N / 2)
end)
