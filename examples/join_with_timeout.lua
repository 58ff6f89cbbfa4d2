-- join waits for the end of a process; with a timeout it waits no longer than that, and the
-- process goes on.

local process = require "process"

local p = process.Process(function() process.sleep(1) end)
local start = process.now()
p:start()

print("join", p:join(0.1))
print("alive", p:is_alive())
print("join", p:join())
print(("%.2f seconds"):format(process.now() - start))

-- It has ended: a further join has nothing to wait for.
print("join", p:join())
