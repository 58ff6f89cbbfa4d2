-- What the programs run by the specs have at hand, inside the mpl under test.

local lfs = require "lfs"
local process = require "process"

local fixture = {}

local PATIENCE = 30 -- seconds; nothing waits them out

local function read_file(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a"
  if file then file:close() end
  return text
end

-- Prints one line, in one write: the name, a tab, the values with a space between.
function fixture.report(name, ...)
  local values = table.pack(...)
  for i = 1, values.n do values[i] = tostring(values[i]):gsub("\n", " ") end
  io.stdout:write(name, "\t", table.concat(values, " "), "\n")
  io.stdout:flush()
end

-- The text of the error that f raises, or "no error".
function fixture.try(f, ...)
  local ok, message = pcall(f, ...)
  return ok and "no error" or tostring(message)
end

-- The text of the error that f raises, or returns after nil, or "no error".
function fixture.failure(f, ...)
  local ok, value, message = pcall(f, ...)
  if not ok then return tostring(value) end
  return value == nil and message ~= nil and tostring(message) or "no error"
end

-- Waits until ready() is true; an error when it never is.
function fixture.eventually(ready)
  local deadline = process.now() + PATIENCE
  while not ready() do
    if process.now() > deadline then error("what was waited for did not happen", 2) end
    process.sleep(0.001)
  end
  return true
end

-- The kernel's letter for the state of a process ("S" asleep, "Z" zombie …), or "gone".
function fixture.state(pid)
  local stat = read_file("/proc/" .. pid .. "/stat")
  return stat and stat:match "%) (%a)" or "gone"
end

-- tostring(p), with ME for this process's pid and PID for `pid`, where given.
function fixture.shown(p, pid)
  local text = tostring(p):gsub("parent=" .. process.getpid(), "parent=ME")
  if pid then text = text:gsub("pid=" .. pid, "pid=PID") end
  return text
end

-- Waits until the process is a zombie, without a call into the module, which might reap it.
function fixture.zombie(pid)
  local deadline = os.time() + PATIENCE
  while fixture.state(pid) ~= "Z" do
    if os.time() > deadline then error("process " .. pid .. " is no zombie", 2) end
  end
  return true
end

-- Waits until the process sleeps in the kernel.
function fixture.asleep(pid)
  return fixture.eventually(function() return fixture.state(pid) == "S" end)
end

-- Waits until the process is in a wait of the module, for something that others see it wait for.
function fixture.waiting(pid)
  return fixture.eventually(function()
    for _, p in ipairs(process.stats().processes) do
      if p.pid == pid then return p.waits end
    end
  end)
end

-- Seconds that f(...) took, then its results.
function fixture.timed(f, ...)
  local began = process.now()
  local results = table.pack(f(...))
  return process.now() - began, table.unpack(results, 1, results.n)
end

-- Open file descriptors of this process.
function fixture.descriptors()
  local n = 0
  for entry in lfs.dir "/proc/self/fd" do
    if entry:match "%d" then n = n + 1 end
  end
  return n
end

-- Mappings of this process.
function fixture.maps()
  return select(2, read_file("/proc/self/maps"):gsub("\n", ""))
end

-- Children of this process, zombies included, as the kernel counts them.
function fixture.children()
  local me, n = tostring(process.getpid()), 0
  for entry in lfs.dir "/proc" do
    local stat = entry:match "^%d+$" and read_file("/proc/" .. entry .. "/stat")
    if stat and stat:match "%) %a (%d+)" == me then n = n + 1 end
  end
  return n
end

-- Ends the calling process by a signal, by name.
function fixture.die(signal)
  os.execute("kill -" .. signal .. " " .. process.getpid())
  process.sleep(PATIENCE)
end

return fixture
