-- One operation on a shared dict of 1,000 entries. Argument: get, set or incr.

local process = require "process"
local measure = dofile "bench/measure.lua"

local N <const> = 100000

local keys, d = {}, process.dict()
for i = 1, 1000 do
  keys[i] = "key " .. i
  d[keys[i]] = i
end

local operations = {
  get = function(k) return d[k] end,
  set = function(k, i) d[k] = i end,
  incr = function(k) process.dict.incr(d, k, 1) end,
}
local operation = assert(operations[arg[1]], "which operation")

measure(N, function()
  for i = 1, N do operation(keys[i % 1000 + 1], i) end
end)
