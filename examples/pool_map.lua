-- map shares a list out among the workers and keeps its order.

local process = require "process"

local pool <close> = process.Pool(4)

local squares = pool:map(function(x)
  process.sleep((9 - x) / 500) -- the last are the fastest
  return x * x
end, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 1)
print(table.concat(squares, " "))

local sums = pool:starmap(function(a, b) return a + b end, { { 1, 2 }, { 10, 20 } })
print(table.concat(sums, " "))
