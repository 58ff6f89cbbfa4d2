-- Several processes add to the same number in shared memory, a hundred times each. To add is to
-- read and to write: with a lock around both the sum is right, without it some of it is lost.

local process = require "process"

local lock = process.Lock()
local v = process.Value("i", 0)

local function run(target)
  v.value = 0
  local list = {}
  for i = 1, 10 do list[i] = process.Process(target):start() end
  for _, p in ipairs(list) do p:join() end
  return v.value
end

print("with a lock", run(function()
  for _ = 1, 100 do
    local held <close> = lock:hold()
    v.value = v.value + 1
  end
end))

print("with the value's own", run(function()
  for _ = 1, 100 do
    v:get_lock():with(function() v.value = v.value + 1 end)
  end
end))

print("in one step", run(function()
  for _ = 1, 100 do v:add(1) end
end))

print("without, at most 1000", run(function()
  for _ = 1, 100 do
    local before = v.value
    if before % 10 == 0 then process.sleep(0.0001) end -- others come in between
    v.value = before + 1
  end
end) <= 1000)
