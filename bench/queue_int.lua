-- Small integers from one producer process to one consumer process, one put and one get each.
-- Every batch begins and ends with an empty queue, so that puts and gets are both inside the time.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 100000

local queue, go = process.Queue(), process.Queue()

local function produce()
  while go:get() do
    for i = 1, N do
      queue:put(i)
    end
  end
end

local producer = process.Process{ target = produce, daemon = true }
producer:start()
measure(N, function()
  go:put(true)
  local last
  for _ = 1, N do
    last = queue:get()
  end
  assert(last == N)
end)
go:put(false)
producer:join()
