-- A daemon may be ended at any moment, so it may have no children: starting one is refused.

local process = require "process"

local function grandchild()
  print("grandchild runs")
end

local function child()
  local p = process.Process(grandchild)
  print(process.current_process().name, pcall(function() p:start():join() end))
end

process.Process{ target = child, name = "daemon", daemon = true }:start():join()
process.Process{ target = child, name = "ordinary" }:start():join()
