-- The floor of a process started from Lua: fork, _exit in the child and wait by luaposix, without
-- the module. Any Lua state writes to some twenty pages between the fork and the wait, and each of
-- them has to be copied; C alone writes to few.

local unistd = require "posix.unistd"
local wait = require "posix.sys.wait".wait
local time = require "posix.time"

local N <const>, SECONDS <const> = 50, 0.3 -- as measure.lua, which needs the module

local function now()
  local t = time.clock_gettime(time.CLOCK_MONOTONIC)
  return t.tv_sec + t.tv_nsec * 1e-9
end

local function batch()
  for _ = 1, N do
    local pid = unistd.fork()
    if pid == 0 then
      unistd._exit(0)
    end
    wait(pid)
  end
end

batch()
local batches, start = 0, now()
repeat
  batch()
  batches = batches + 1
until now() - start >= SECONDS
print(string.format("%.3f", (now() - start) * 1e9 / (batches * N)))
