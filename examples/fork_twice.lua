-- How a program becomes a system daemon: it forks twice and the middle one ends, so that the
-- grandchild is adopted by the system and main is not held up by it.

local process = require "process"

local main = process.getpid()

if process.fork() == 0 then
  local middle = process.getpid()
  if process.fork() == 0 then
    while process.getppid() == middle do process.sleep(0.01) end
    local parent = process.getppid()
    print("grandchild adopted", parent ~= middle and parent ~= main)
    process.sleep(1)
    print("grandchild done")
  end
  os.exit(0)
end

print("main end")
