-- An RLock may be taken again by who holds it: functions that lock can call one another.

local process = require "process"

local lock = process.RLock()
local log = process.Queue()

local function entry(text)
  local held <close> = lock:hold()
  log:put(text)
end

local function report(who)
  local held <close> = lock:hold()
  entry(who .. " begins") -- a Lock would wait for itself here
  entry(who .. " ends")
end

local list = {}
for i, name in ipairs{ "anna", "ben" } do
  list[i] = process.Process(report, name):start()
end
for _, p in ipairs(list) do p:join() end

for _ = 1, 4 do print(log:get()) end

lock:acquire()
process.Process(function()
  print("child", lock:acquire(false))
  print("child", (pcall(lock.release, lock))) -- only its holder releases it
end):start():join()
lock:release()
print("free", lock:locked())
