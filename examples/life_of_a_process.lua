-- The attributes of a process before its start, while it runs, and after its end.

local process = require "process"

local finish = process.Event()

local p = process.Process(function() finish:wait() end)
print("before", p.pid, p.exitcode, p:is_alive())

p:start()
local pid = p.pid
print("running", math.type(pid), p.ident == pid, p.exitcode, p:is_alive())

finish:set()
p:join()
print("after", p.pid == pid, p.exitcode, p:is_alive())
