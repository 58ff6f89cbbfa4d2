-- A queue between processes: what was got is gone, order is kept, and with several getters every
-- item is got by exactly one of them.

local process = require "process"

local q = process.Queue()
q:put("xx")
print(q:get(), q:empty())

local begin = process.now()
print(q:get(0.2))
print(("waited %.2f seconds"):format(process.now() - begin))

-- Without a timeout get waits until somebody puts something.
local p = process.Process(function()
  process.sleep(0.1)
  for _, word in ipairs{ "one", "two", "three" } do q:put(word) end
end)
p:start()
print(q:get(), q:get(), q:get())
p:join()

local tasks, results = process.Queue(), process.Queue()

local function getter()
  for n in tasks:items() do results:put(n) end
end

local getters = {}
for i = 1, 3 do getters[i] = process.Process(getter):start() end
for n = 1, 300 do tasks:put(n) end
tasks:shutdown() -- nothing more comes: the loops end when all is got
for _, g in ipairs(getters) do g:join() end

local seen, different = {}, 0
local items = results:qsize()
for _ = 1, items do
  local n = results:get()
  if not seen[n] then different = different + 1 end
  seen[n] = true
end
print("items", items, "different", different)
