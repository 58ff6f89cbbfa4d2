-- Two processes give each other tokens of two semaphores: one round trip. Arguments: their CPUs.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 1000

local here, there = assert(arg[1], "the CPU of this side"), assert(arg[2], "the CPU of the other")
local ping, pong = process.Semaphore(0), process.Semaphore(0)

local function pin(cpu)
  assert(os.execute(("taskset -cp %s %d >/dev/null"):format(cpu, process.getpid())))
end

local function echo()
  pin(there)
  while true do
    ping:acquire()
    pong:release()
  end
end

process.Process{ target = echo, daemon = true }:start()
pin(here)
measure(N, function()
  for _ = 1, N do
    ping:release()
    pong:acquire()
  end
end)
