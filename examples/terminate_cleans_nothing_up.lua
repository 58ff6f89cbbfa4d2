-- terminate ends a process where it is: its to-be-closed values are not closed, and its children
-- go on without it, as orphans. Only daemons end with their parent.

local process = require "process"

local reports = process.Queue()
local daemon_lock = process.Lock()
local daemon_ready = process.Event()

local function grandchild(parent)
  reports:put("grandchild is here")
  while process.getppid() == parent do process.sleep(0.01) end
  reports:put("grandchild has lost its parent and lives on")
end

local function daemonic_grandchild()
  daemon_lock:acquire() -- as long as it lives
  daemon_ready:set()
  process.sleep(60)
end

local function child()
  local cleanup <close> = setmetatable({}, { __close = function() print("never printed") end })
  process.Process{ target = grandchild, args = { process.getpid() } }:start()
  process.Process{ target = daemonic_grandchild, daemon = true }:start()
  process.sleep(60)
  return cleanup
end

local p = process.Process{ target = child }
p:start()
print(reports:get())
daemon_ready:wait()

p:terminate()
p:join()
print("child ended with", p.exitcode)
print(reports:get())

-- The lock tells that the one who held it has gone.
print("daemon's lock", daemon_lock:acquire())
