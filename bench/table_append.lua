-- An integer appended to a table that nobody shares.

local measure = dofile "bench/measure.lua"

local N <const> = 100000

local t

measure(N, function()
  t = {}
  for i = 1, N do
    t[#t + 1] = i
  end
  assert(#t == N)
end)
