-- A number in shared memory, increased by one so that no other process's change is lost.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 100000

local v = process.Value("q", 0)

measure(N, function()
  for _ = 1, N do
    v:add(1)
  end
end)
