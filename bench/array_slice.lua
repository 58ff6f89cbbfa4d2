-- The sum of a shared array of doubles, through a slice of all of them.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 1000000

local a = process.Array("d", N)
a:fill(0.5)

measure(N, function()
  local sum, slice = 0.0, a:slice()
  for i = 1, #slice do
    sum = sum + slice[i]
  end
  assert(sum == N / 2)
end)
