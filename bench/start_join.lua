-- A process with an empty target, started and joined.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 50

local function nothing() end

measure(N, function()
  for _ = 1, N do
    local p = process.Process{ target = nothing }
    p:start()
    p:join()
    assert(p.exitcode == 0)
  end
end)
