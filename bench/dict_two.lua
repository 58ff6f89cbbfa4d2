-- A shared dict of 1,000 entries that two processes use at once: each reads one entry and writes
-- another in turn. Arguments: their CPUs. Both do the same number; the time ends when both have.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 50000

local here, there = assert(arg[1], "the CPU of this side"), assert(arg[2], "the CPU of the other")
local d, go, done = process.dict(), process.Queue(), process.Queue()
local keys = {}
for i = 1, 1000 do
  keys[i] = "key " .. i
  d[keys[i]] = i
end

local function pin(cpu)
  assert(os.execute(("taskset -cp %s %d >/dev/null"):format(cpu, process.getpid())))
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
  pin(there)
  while go:get() do
    work(13)
    done:put(true)
  end
end

process.Process{ target = other, daemon = true }:start()
pin(here)
measure(2 * N, function()
  go:put(true)
  work(7)
  done:get()
end)
