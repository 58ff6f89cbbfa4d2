-- A pool of two workers made, closed and joined.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 20

measure(N, function()
  for _ = 1, N do
    local pool = process.Pool(2)
    pool:close()
    pool:join()
  end
end)
