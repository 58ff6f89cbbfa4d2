-- Processes do not see each other's variables. To talk, they are given an address when they are
-- made: a queue, as an argument or as a variable that the function uses.

local process = require "process"

local q = process.Queue()

local function talk(address)
  address:put("from a child")
end

process.Process{ target = talk, args = { q } }:start()
print(q:get())

process.Process(function() q:put("from another child") end):start()
print(q:get())

-- It works in both directions, and for any value.
local answers = process.Queue()
process.Process(function()
  local question = q:get()
  answers:put{ sum = question[1] + question[2], asked = question }
end):start()
q:put{ 20, 22 }
local answer = answers:get()
print("sum of", answer.asked[1], answer.asked[2], "is", answer.sum)
