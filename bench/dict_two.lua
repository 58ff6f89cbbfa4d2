-- A shared dict of 1,000 entries that two processes use at once: each reads one entry and writes
-- another in turn. Arguments: their CPUs. Both do the same number; the time ends when both have.

local process = require "process"
local measure = dofile "bench/measure.lua"
local beside = dofile "bench/two.lua"

local N <const> = 50000

local d, go, done = process.dict(), process.Queue(), process.Queue()
local keys = {}
for i = 1, 1000 do
  keys[i] = "key " .. i
  d[keys[i]] = i
end

local function work(step)
  local at = 0
  for i = 1, N // 2 do
    at = (at + step) % 1000
    local _ = d[keys[at + 1]]
    d[keys[1000 - at]] = i
  end
end

local function other()
  while go:get() do
    work(13)
    done:put(true)
  end
end

beside(other)
measure(2 * N, function()
  go:put(true)
  work(7)
  done:get()
end)
