-- What measures a producer process and a consumer process.

local process = require "process"
local measure = dofile "bench/measure.lua"

--- Prints the nanoseconds one operation takes.
-- Of each batch of `n` operations a process of its own does `produce`, while this one does
-- `consume`; a batch begins and ends with nothing produced that is not consumed.
return function(n, produce, consume)
  local go = process.Queue()
  local function run()
    while go:get() do
      produce()
    end
  end
  local producer = process.Process{ target = run, daemon = true }:start()
  measure(n, function()
    go:put(true)
    consume()
  end)
  go:put(false)
  producer:join()
end
