-- apply_async: many tasks handed in, then all results taken, on two workers; the time is that of
-- one task.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 2000

local function square(x)
  return x * x
end

local pool <close> = process.Pool(2)
local results = {}
measure(N, function()
  for i = 1, N do
    results[i] = pool:apply_async(square, { i })
  end
  for i = 1, N do
    assert(results[i]:get() == i * i)
  end
end)
