-- imap_unordered over small integers on two workers, in chunks of one; the time is that of one
-- task.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 2000

local function square(x)
  return x * x
end

local list = {}
for i = 1, N do
  list[i] = i
end

local pool <close> = process.Pool(2)
measure(N, function()
  local n = 0
  for i, v in pool:imap_unordered(square, list) do
    assert(v == i * i)
    n = n + 1
  end
  assert(n == N)
end)
