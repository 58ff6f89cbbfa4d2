-- Main dies without warning. Its daemon dies with it; its other child goes on as an orphan, and
-- what both of them shared with the dead still works.

local process = require "process"

local main = process.getpid()
local main_lock, daemon_lock = process.Lock(), process.Lock()
local q = process.Queue()
local ready = process.Event()

local function orphan()
  while process.getppid() == main do process.sleep(0.01) end
  print("orphan: my parent is dead")
  print("orphan: main's lock", main_lock:acquire())
  print("orphan: daemon's lock", daemon_lock:acquire())
  print("orphan: from the queue", q:get())
  q:put("still works")
  print("orphan: from the queue", q:get())
end

local function daemon()
  daemon_lock:acquire()
  ready:set()
  process.sleep(60)
  print("never printed")
end

main_lock:acquire()
q:put("left by main")
process.Process{ target = orphan }:start()
process.Process{ target = daemon, daemon = true }:start()
ready:wait()

print("main: killed by my own hand")
os.execute("kill -9 " .. main)
