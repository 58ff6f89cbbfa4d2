-- One operation on a shared dict of 1,000 entries. Arguments: get, set or incr; and `plain` for a
-- plain table of Lua, which nobody shares: the price of sharing is the difference.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 100000

local plain = arg[2] == "plain"
local keys, d = {}, plain and {} or process.dict()
for i = 1, 1000 do
  keys[i] = "key " .. i
  d[keys[i]] = i
end

local operations = {
  get = function(k) return d[k] end,
  set = function(k, i) d[k] = i end,
  incr = plain and function(k) d[k] = d[k] + 1 end or
    function(k) process.dict.incr(d, k, 1) end,
}
local operation = assert(operations[arg[1]], "which operation")

measure(N, function()
  for i = 1, N do operation(keys[i % 1000 + 1], i) end
end)
