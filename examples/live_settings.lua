-- Nested settings that every process sees as they are now: process.share makes dicts and lists of
-- plain tables, and a worker that waits for a change is woken by it.

local process = require "process"

local settings = process.share{
  server = { port = 80, hosts = { "alpha", "beta" } },
  log = { level = "warn" },
}

local ready = process.Event()
local worker = process.Process(function()
  local log = settings.log
  ready:set()
  process.dict.wait_for(log, function() return log.level == "debug" end)
  print("the worker logs at", log.level)
  settings.server.port = 8080
  settings.server.hosts:append("gamma")
end):start()

ready:wait()
settings.log.level = "debug"
worker:join()

print("port", settings.server.port)
print("hosts", table.concat(settings.server.hosts, " "))

-- A plain table that is stored in a dict is a copy.
settings.log.colours = { "red" }
settings.log.colours[1] = "blue" -- changes the copy that was just read
print("colour", settings.log.colours[1])

local plain = process.dict.copy(settings, { deep = true })
plain.server.port = 1
print("a deep copy is plain", type(plain.server.hosts), settings.server.port)
