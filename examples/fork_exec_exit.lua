-- The life of a process as the system sees it: fork, perhaps exec, exit, and a zombie until the
-- parent has looked at it.

local process = require "process"
local unistd = require "posix.unistd"
local wait = require("posix.sys.wait").wait

-- The letter for the state in /proc: R runs, S sleeps, Z is a zombie.
local function state(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return "gone" end
  local letter = file:read("a"):match("%) (%a)")
  file:close()
  return letter
end

local pid = process.fork()
if pid == 0 then
  print("child: fork gave me", pid)
  os.exit(0)
end
while state(pid) ~= "Z" do process.sleep(0.01) end
print("ended:", state(pid))
local _, how, code = wait(pid)
print("looked at:", how, code, state(pid))

-- exec puts another program into the process.
pid = process.fork()
if pid == 0 then
  unistd.execp("echo", { "another program in the same process" })
  os.exit(127) -- only where there is no such program
end
wait(pid)

-- A Process does all that by itself; os.execute is a fork, an exec and a wait.
local p = process.Process(function() os.execute("echo a program of its own") end)
p:start()
p:join()
print("joined:", p.exitcode, state(p.pid))
