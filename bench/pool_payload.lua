-- map with arguments and results of 64 KiB, on two workers; the time is that of one task.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 200
local SIZE <const> = 64 * 1024

local function echo(s)
  return s
end

local list = {}
for i = 1, N do
  list[i] = string.char(64 + i % 26):rep(SIZE)
end

local pool <close> = process.Pool(2)
measure(N, function()
  local results = pool:map(echo, list)
  assert(#results == N and #results[N] == SIZE)
end)
