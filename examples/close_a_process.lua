-- close releases what a process object holds. It is refused while the process lives; afterwards
-- the object is of no more use.

local process = require "process"

local finish = process.Event()
local p = process.Process(function() finish:wait() end):start()

print("while alive", pcall(p.close, p))

finish:set()
p:join()
p:close()
print("closed", p.name)
print("is_alive", pcall(p.is_alive, p))
print("join", pcall(p.join, p))

p:close() -- once more does no harm
print("closed again")
