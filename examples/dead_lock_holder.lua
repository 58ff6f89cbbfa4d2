-- A process that is killed while it holds a lock does not give it back. Nobody waits for the dead:
-- the next acquire succeeds at once, and says that the lock was abandoned.

local process = require "process"

local function try(how)
  local lock = process.Lock()
  local ready = process.Event()

  local p = process.Process(function()
    lock:acquire()
    ready:set()
    process.sleep(60)
  end)
  p:start()
  ready:wait()
  p[how](p)
  p:join()

  print(how, lock:locked(), lock:acquire())
  -- What the lock guards may be half done: this is the place to put it right.
  print("abandoned", lock:abandoned())
  lock:release()

  -- From here on it is an ordinary lock again.
  print("released", lock:locked(), lock:abandoned())
  print("acquire", lock:acquire())
  lock:release()
end

try("kill")
try("terminate")
