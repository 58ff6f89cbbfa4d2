-- How every benchmark in Lua is timed; measure.py and `measure` in floor.c are the same.

local process = require "process"

local SECONDS <const> = 0.3 -- long enough that a scheduler's tick of some milliseconds is noise

--- Prints the nanoseconds one operation takes.
-- `batch` does `n` operations. Its first call is the warm-up and is not timed; then it is called
-- until SECONDS have passed on the monotonic clock.
return function(n, batch)
  batch()
  local batches, start = 0, process.now()
  local elapsed
  repeat
    batch()
    batches = batches + 1
    elapsed = process.now() - start
  until elapsed >= SECONDS
  print(string.format("%.3f", elapsed * 1e9 / (batches * n)))
end
