-- Two fields that few scripts need: a descriptor for the end of a process, and a secret.

local process = require "process"

local main = process.current_process()
print("authkey", #main.authkey)

local told, go = process.Queue(), process.Event()
local p = process.Process(function()
  told:put(process.current_process().authkey == main.authkey)
  go:wait()
end)
print("the child's is the same", p.authkey == main.authkey)
print("before the start", pcall(function() return p.sentinel end))

p:start()
print("and in the child", told:get())

-- An integer: poll and select of any library can wait for it, too.
local fd = p.sentinel
print("sentinel", math.type(fd), p.sentinel == fd)
print("while it runs", #process.wait({ fd }, 0.05))
go:set()
local ready = process.wait({ fd }, 5)
print("at its end", #ready, ready[1] == fd)
p:join()
