-- A process that has ended keeps its number, as a zombie, until its parent has looked at it: by
-- join, is_alive, exitcode, or a list of the children.

local process = require "process"

local function state(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return "gone" end
  local letter = file:read("a"):match("%) (%a)")
  file:close()
  return letter == "Z" and "zombie" or "alive"
end

local function try(name, look)
  local p = process.Process(function() end)
  p:start()
  while state(p.pid) == "alive" do os.execute("sleep 0.01") end
  print(name, "before: " .. state(p.pid), look(p), "after: " .. state(p.pid))
end

try("join", function(p) return p:join() end)
try("is_alive", function(p) return p:is_alive() end)
try("exitcode", function(p) return p.exitcode end)
try("children", function() return #process.active_children() end)
