-- Transfers between accounts: several changes of a shared dict that happen at once or not at all,
-- also when a process is killed in the middle.

local process = require "process"
local dict = process.dict

local accounts = dict{ ann = 100, bob = 100, eve = 100 }

local function transfer(from, to, sum)
  return dict.atomic(accounts, function(a)
    a[from] = a[from] - sum
    if a[from] < 0 then error(from .. " has not that much", 0) end
    a[to] = a[to] + sum
    return a[from]
  end)
end

local function total()
  local sum = 0
  for _, money in pairs(accounts) do sum = sum + money end -- a snapshot
  return sum
end

for _, route in ipairs{ { "ann", "bob" }, { "bob", "eve" }, { "eve", "ann" } } do
  process.Process(function()
    for _ = 1, 100 do pcall(transfer, route[1], route[2], 7) end
  end):start()
end

local whole = true
repeat
  whole = whole and total() == 300
until #process.active_children() == 0
print("always 300", whole)

print(pcall(transfer, "ann", "bob", 1000))

local inside = process.Event()
local robber = process.Process(function()
  dict.atomic(accounts, function(a)
    a.ann, a.bob, a.eve = 0, 0, 0
    inside:set()
    process.sleep(60)
  end)
end):start()
inside:wait()
robber:kill()
robber:join()
print("after the robbery", total())
