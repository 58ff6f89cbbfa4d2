-- Results in the order in which they come, not in that of the input: imap_unordered.

local process = require "process"

local pool <close> = process.Pool(3)
local turn = { process.Event(), process.Event(), process.Event() }
local place = { 3, 1, 2 } -- of the three inputs: who comes first, second, third

local function work(i)
  turn[place[i]]:wait()
  return "input " .. i
end

turn[1]:set()
local n = 0
for i, value in pool:imap_unordered(work, { 1, 2, 3 }) do
  print("unordered", i, value)
  n = n + 1
  if turn[n + 1] then turn[n + 1]:set() end
end

-- imap keeps the order; each result is there as soon as those before it are.
for i, value in pool:imap(work, { 1, 2, 3 }) do print("in order", i, value) end
