-- map over small integers on two workers, in chunks of the given size or automatic ones; the time
-- is that of one task.

local process = require "process"
local measure = dofile "bench/measure.lua"

local chunksize = tonumber(arg[1])
local N <const> = chunksize and 2000 or 100000

local function square(x)
  return x * x
end

local list = {}
for i = 1, N do
  list[i] = i
end

local pool <close> = process.Pool(2)
measure(N, function()
  local results = pool:map(square, list, chunksize)
  assert(#results == N and results[N] == N * N)
end)
