-- getpid is the number of the process that asks, getppid that of its parent.

local process = require "process"

local function hello(name)
  print("hello " .. name)
  print("I am the child", process.getpid(), "and my parent is", process.getppid())
end

local p = process.Process{ target = hello, args = { "xiaobai" } }
p:start()
print("I am the parent", process.getpid(), "and my child is", p.pid)
