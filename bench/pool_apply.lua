-- apply, one task after the other, on two workers.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 500

local function square(x)
  return x * x
end

local pool <close> = process.Pool(2)
measure(N, function()
  for i = 1, N do
    assert(pool:apply(square, { i }) == i * i)
  end
end)
