-- Small integers from one producer process to one consumer process, in batches of 100; the time is
-- that of one integer.

local process = require "process"
local measure = dofile "bench/measure.lua"

local BATCH <const> = 100
local N <const> = 1000 * BATCH

local queue, go = process.Queue(), process.Queue()

local function produce()
  local list = {}
  for i = 1, BATCH do
    list[i] = i
  end
  while go:get() do
    for _ = 1, N // BATCH do
      queue:put_many(list)
    end
  end
end

local producer = process.Process{ target = produce, daemon = true }
producer:start()
measure(N, function()
  go:put(true)
  local taken = 0
  while taken < N do
    taken = taken + #queue:get_many(BATCH)
  end
  assert(taken == N)
end)
go:put(false)
producer:join()
