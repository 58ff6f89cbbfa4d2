-- Small integers from one producer process to one consumer process, one put and one get each.
-- Every batch begins and ends with an empty queue, so that puts and gets are both inside the time.

local process = require "process"

local N <const> = 100000

local queue = process.Queue()

local function produce()
  for i = 1, N do
    queue:put(i)
  end
end

dofile "bench/produce.lua"(N, produce, function()
  local last
  for _ = 1, N do
    last = queue:get()
  end
  assert(last == N)
end)
