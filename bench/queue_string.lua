-- Strings of 1 MiB from one producer process to one consumer process, one put and one get each.
-- Every batch begins and ends with an empty queue. The argument is the queue's maxsize; without
-- one the queue is unbounded and may hold a whole batch.

local process = require "process"

local N <const> = 64
local SIZE <const> = 1 << 20

local queue = process.Queue(tonumber(arg[1]))
local text = string.rep("x", SIZE)

local function produce()
  for _ = 1, N do
    queue:put(text)
  end
end

dofile "bench/produce.lua"(N, produce, function()
  for _ = 1, N do
    assert(#queue:get() == SIZE)
  end
end)
