-- An integer appended to a shared list.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 100000

local l = process.list()

measure(N, function()
  l:clear()
  for i = 1, N do
    l:append(i)
  end
end)
