-- process.Manager: which kinds of objects a manager makes.

local core = require "process.core"
local new_pool = require("process.pool").new

-- Each is a method of a manager, which makes what the constructor of this name makes.
local KINDS <const> = {
  "dict", "list", "set", "Namespace",
  "Value", "Array",
  "Queue", "JoinableQueue",
  "Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier",
}

-- The pools of a manager that this process has made.
local pools = setmetatable({}, { __mode = "k" })

-- Ends the pools of a manager that was shut down. Those of other processes end by themselves, each
-- worker after its present task.
local function end_pools(m)
  for pool in pairs(pools[m] or {}) do
    pool:look()
  end
end

-- Gives managers the method Pool, which takes what process.Pool takes. A pool is not one shared
-- object: its ledger is, and what must be done at the end is done here.
local function add_pools()
  local class = core.manager_class
  local methods, close = class.__index, class.__close
  local shutdown = methods.shutdown

  function methods.Pool(m, options)
    if core.manager_over(m) then
      error("Pool: manager is shut down", 2)
    end
    local pool = new_pool(options, function(ledger) core.manager_keep(m, ledger) end, 3)
    pools[m] = pools[m] or setmetatable({}, { __mode = "k" })
    pools[m][pool] = true
    return pool
  end

  function methods.shutdown(m, ...)
    shutdown(m, ...)
    end_pools(m)
  end

  function class.__close(m, ...)
    close(m, ...)
    end_pools(m)
  end
end

-- The constructor, for the module `process`, from which a manager has those of what it makes.
return function(process)
  for _, kind in ipairs(KINDS) do
    core.manager_kind(kind, process[kind])
  end
  add_pools()
  return core.Manager
end
