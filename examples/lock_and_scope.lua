-- acquire and release, and the two shorter ways that never forget the release.

local process = require "process"

local lock = process.Lock()

local function section(who)
  print(who .. " in")
  process.sleep(0.01)
  print(who .. " out")
end

local function worker(name)
  lock:acquire()
  section(name .. " acquire")
  lock:release()

  do
    local held <close> = lock:hold()
    section(name .. " hold")
  end

  lock:with(section, name .. " with")
end

local list = {}
for i, name in ipairs{ "anna", "ben", "cleo" } do
  list[i] = process.Process{ target = worker, args = { name } }:start()
end
for _, p in ipairs(list) do p:join() end

-- However a block is left, the lock is free afterwards, and an error goes on.
local function leave_by_return()
  local held <close> = lock:hold()
  return "value"
end
print("return", leave_by_return(), lock:locked())
for i = 1, 2 do
  local held <close> = lock:hold()
  if i == 1 then break end
end
print("break", lock:locked())
print("error", pcall(lock.with, lock, function() error("my error", 0) end))
print("after the error", lock:locked())

print("release of a free lock", (pcall(lock.release, lock)))
