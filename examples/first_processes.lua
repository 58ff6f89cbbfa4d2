-- The shortest way: make processes and start them. They run at the same time, so their lines come
-- in any order.

local process = require "process"

local function work(num)
  print("Process:", num)
end

for i = 0, 4 do
  process.Process{ target = work, args = { i } }:start()
end
