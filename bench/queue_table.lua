-- Small tables from one producer process to one consumer process, one put and one get each.
-- Every batch begins and ends with an empty queue, so that puts and gets are both inside the time.

local process = require "process"

local N <const> = 50000

local queue = process.Queue()

local function produce()
  for i = 1, N do
    queue:put{ id = i, name = "item", ok = true }
  end
end

dofile "bench/produce.lua"(N, produce, function()
  local last
  for _ = 1, N do
    last = queue:get()
  end
  assert(last.id == N and last.name == "item" and last.ok)
end)
