-- Calls that wait and calls that do not: start asks for something and goes on at once, a get that
-- may not block answers at once, an ordinary get waits for its answer.

local process = require "process"

local q = process.Queue()
local p = process.Process(function()
  process.sleep(0.5)
  q:put("the answer")
end)

local begin = process.now()
local function say(...)
  print(("%.2f"):format(process.now() - begin), ...)
end

p:start()
say("started", p:is_alive())
say("not blocking", q:get(false))
say("blocking", q:get())
p:join()
