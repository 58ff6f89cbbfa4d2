-- A lock nobody else wants, acquired and released.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 100000

local lock = process.Lock()

measure(N, function()
  for _ = 1, N do
    lock:acquire()
    lock:release()
  end
end)
