-- Only what was started can be joined. Calling run is an ordinary call: it makes no process.

local process = require "process"

local main_pid = process.getpid()

local function work()
  print("work runs in main:", process.getpid() == main_pid)
end

local idle = process.Process(work)
print("not started:", pcall(idle.join, idle))

local called = process.Process(work)
called:run()
called:run() -- as often as one likes
print("only run:", pcall(called.join, called))
print("pid:", called.pid, "children:", #process.active_children())
