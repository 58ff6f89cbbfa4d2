-- process.wait: sleeps until one of many things is ready.

local class = require "process.class"
local core = require "process.core"

local UNFIT <const> = "bad argument #1 to 'wait' (element %d, %s, %s)"

-- What core.wait takes in the place of an object: itself, but for processes.
local function waitable(object, i)
  local found, fault = class.waitable(object)
  if found == nil then
    error(UNFIT:format(i, tostring(object), fault), 3)
  end
  return found
end

-- wait(objects[, timeout]): the list of those that are ready, the very objects, in their order:
-- ended processes, queues that a get would not wait for, set events, connections with a message,
-- descriptors (integers) that poll readable. An empty list when the time is up.
local function wait(objects, timeout)
  if type(objects) ~= "table" then
    error("bad argument #1 to 'wait' (list expected, got " .. type(objects) .. ")", 2)
  elseif #objects == 0 and timeout == nil then
    error("wait: nothing to wait for, and no timeout: this would never end", 2)
  elseif timeout ~= nil and (type(timeout) ~= "number" or timeout ~= timeout) then
    error(("bad argument #2 to 'wait' (number of seconds expected, got %s)"):format(
      timeout ~= timeout and "NaN" or type(timeout)), 2)
  end
  local list = {}
  for i = 1, #objects do
    list[i] = waitable(objects[i], i)
  end
  local ready, bad, fault = core.wait(list, timeout)
  if not ready and type(bad) == "string" then
    error("wait: " .. bad, 2)
  elseif not ready then
    error(UNFIT:format(bad, tostring(objects[bad]), fault), 2)
  end
  for i = 1, #ready do
    ready[i] = objects[ready[i]]
  end
  return ready
end

return wait
