-- The number of a process, from inside and from outside, and whether it is alive. terminate asks
-- the system to end it; it has ended when join has returned.

local process = require "process"

local function work()
  print("child PID", process.current_process().pid)
  print("child PID", process.getpid())
  print("child PPID", process.getppid())
end

print("main PID", process.getpid())
local p = process.Process{ target = work }
p:start()
p:join()
p:terminate() -- has ended already: nothing happens, and it is no error
print("alive", p:is_alive(), p.exitcode)

local q = process.Process{ target = process.sleep, args = { 60 } }
q:start()
print("alive", q:is_alive())
print("seen from outside", os.execute("kill -0 " .. q.pid))
q:terminate()
q:join()
print("alive", q:is_alive(), q.exitcode)
