-- Strings of 1 MiB from one producer process to one consumer process, one put and one get each.
-- Every batch begins and ends with an empty queue. The argument is the queue's maxsize; without
-- one the queue is unbounded and may hold a whole batch.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 64
local SIZE <const> = 1 << 20

local queue, go = process.Queue(tonumber(arg[1])), process.Queue()

local function produce()
  local text = string.rep("x", SIZE)
  while go:get() do
    for _ = 1, N do
      queue:put(text)
    end
  end
end

local producer = process.Process{ target = produce, daemon = true }
producer:start()
measure(N, function()
  go:put(true)
  for _ = 1, N do
    assert(#queue:get() == SIZE)
  end
end)
go:put(false)
producer:join()
