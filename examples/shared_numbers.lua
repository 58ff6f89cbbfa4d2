-- Numbers that all processes share: each worker changes its part of an array, and they count
-- together what they have done.

local process = require "process"

local WORKERS <const>, EACH <const> = 4, 250

local squares = process.Array("d", WORKERS * EACH)
local done = process.Value("i", 0)

local function work(first)
  for i = first, first + EACH - 1 do
    squares[i] = i * i
    done:add(1)
  end
end

local list = {}
for n = 1, WORKERS do
  list[n] = process.Process(work, (n - 1) * EACH + 1):start()
end
for _, p in ipairs(list) do p:join() end

print(done.value, "of", #squares)
print("first", table.concat(squares:slice(1, 5), " "))
print("last", table.concat(squares:slice(-2), " "))

local sum = 0
for _, x in ipairs(squares) do sum = sum + x end
print("sum", sum)

-- A type has a range, and nothing wraps.
local small = process.Array("B", { 0, 128, 255 })
print(pcall(small.add, small, 3, 1))
print(small)
