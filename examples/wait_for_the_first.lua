-- Several results are under way, and one does not know which comes first: process.wait.

local process = require "process"

local words = process.Queue()

-- Each begins when the one before has been noticed, so that the order is sure.
local go = {}
for i = 1, 3 do go[i] = process.Event() end

local list, name_of = {}, {}
for i, name in ipairs{ "third", "first", "second" } do
  local turn = ({ 3, 1, 2 })[i]
  list[i] = process.Process(function()
    go[turn]:wait()
    words:put("a word of the " .. name)
  end):start()
  name_of[list[i]] = name
end

for turn = 1, 3 do
  print("ready at once", #process.wait(list, 0))
  go[turn]:set()
  local ready = process.wait(list) -- the very objects
  print("ready", #ready, name_of[ready[1]], ready[1].exitcode)
  for i, p in ipairs(list) do
    if p == ready[1] then table.remove(list, i) end
  end
end

-- Queues, events and descriptors can stand in the same list.
print("word", process.wait{ words, go[1] }[1] == words, words:get())
