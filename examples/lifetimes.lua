-- A manager makes shared objects of every type and ends them together: with its block, or when it
-- is told to. They are the module's own objects; without a common end nobody needs a manager.

local process = require "process"

-- What ten processes do to its objects is seen by all, and nothing is lost.
local kept
do
  local m <close> = process.Manager()
  local answers, sum = m:Queue(), m:Value("i", 0)
  local list = {}
  for i = 1, 10 do
    list[i] = process.Process(function()
      sum:add(i)
      answers:put(i)
    end):start()
  end
  for _, p in ipairs(list) do p:join() end
  print("seen", answers:qsize(), sum.value, m)
  kept = sum
end

print("behind the block", pcall(function() return kept.value end))

-- What a child has made with it is of the same manager, which any process may shut down.
local m = process.Manager()
local results, made = process.Queue(), process.Queue()
local child = process.Process(function()
  local ready = m:Event()
  made:put(ready)
  results:put(select(2, pcall(function() ready:wait() end))) -- it is never set
end):start()
made:get()
print("made in a child", m)
m:shutdown()
print("the sleeper", results:get())
child:join()
m:shutdown() -- does nothing
print(m)
