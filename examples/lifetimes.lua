-- A manager makes shared objects of every type and ends them together: with its block, or when it
-- is told to. They are the module's own objects; without a common end nobody needs a manager.

local process = require "process"

-- What ten processes append is seen by all, and nothing is lost.
local kept
do
  local m <close> = process.Manager()
  local my_list = m:list()
  local children = {}
  for i = 1, 10 do
    children[i] = process.Process(function() my_list:append(1) end):start()
  end
  for _, p in ipairs(children) do p:join() end
  print("appended", #my_list, m)
  kept = my_list
end
print("behind the block", pcall(function() return kept[1] end))

-- Objects of different types: who gets the item finds the entry.
local m = process.Manager()
local d, q, sum = m:dict(), m:Queue(), m:Value("i", 0)
local child = process.Process(function()
  d.x = 1
  sum:add(5)
  q:put("y")
end):start()
print(q:get(), d.x, sum.value, m)
child:join()

-- What a child has made with it is of the same manager, which any process may shut down. Who sleeps
-- on one of its objects wakes up.
local results, made = process.Queue(), process.Queue()
child = process.Process(function()
  local ready = m:Event()
  made:put(ready)
  results:put(select(2, pcall(function() ready:wait() end))) -- it is never set
end):start()
made:get()
print("made in a child", m)
m:shutdown()
print("the sleeper", results:get())
child:join()
print("the entry", pcall(function() return process.dict.get(d, "x") end))
m:shutdown() -- does nothing
print(m)
