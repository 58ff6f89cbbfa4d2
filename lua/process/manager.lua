-- process.Manager: which kinds of objects a manager makes.

local core = require "process.core"

-- Each is a method of a manager, which makes what the constructor of this name makes.
local KINDS <const> = {
  "dict", "list", "set", "Namespace",
  "Value", "Array",
  "Queue", "JoinableQueue",
  "Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier",
}

-- The constructor, for the module `process`, from which a manager has those of what it makes.
return function(process)
  for _, kind in ipairs(KINDS) do
    core.manager_kind(kind, process[kind])
  end
  return core.Manager
end
