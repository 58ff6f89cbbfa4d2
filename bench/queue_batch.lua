-- Small integers from one producer process to one consumer process, in batches of 100; the time is
-- that of one integer.

local process = require "process"

local BATCH <const> = 100
local N <const> = 1000 * BATCH

local queue, list = process.Queue(), {}
for i = 1, BATCH do
  list[i] = i
end

local function produce()
  for _ = 1, N // BATCH do
    queue:put_many(list)
  end
end

dofile "bench/produce.lua"(N, produce, function()
  local taken = 0
  while taken < N do
    taken = taken + #queue:get_many(BATCH)
  end
  assert(taken == N)
end)
