-- A number in shared memory, increased by one while its lock is held.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 100000

local v = process.Value("q", 0)

measure(N, function()
  for _ = 1, N do
    local lock = v:get_lock()
    lock:acquire()
    v.value = v.value + 1
    lock:release()
  end
end)
