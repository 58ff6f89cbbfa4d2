-- process.wait: sleeps until one of many things is ready.

local arguments = require "process.arguments"
local class = require "process.class"
local core = require "process.core"
local result = require "process.result"

local UNFIT <const> = "bad argument #1 to 'wait' (element %d, %s, %s)"

-- What core.wait takes in the place of an object: itself, but for processes; nil for a result.
local function waitable(object, i)
  if result.is_result(object) then
    return nil
  end
  local found, fault = class.waitable(object)
  if found == nil then
    error(UNFIT:format(i, tostring(object), fault), 4)
  end
  return found
end

-- Marks in `ready` the results that are ready, by their places; whether there are any. If not, adds
-- to `list` what wakes their pools.
local function add_results(objects, list, ready)
  local pools, any = {}, false
  for i = 1, #objects do
    local object = objects[i]
    if result.is_result(object) then
      ready[i] = object:ready() or nil
      any = any or ready[i]
      pools[object.pool] = true
    end
  end
  for pool in pairs(any and {} or pools) do
    result.add_wakers(pool, list)
  end
  return any
end

-- One look at all objects, and one sleep: marks what is ready in a table, by places.
local function sleep(objects, timeout)
  local list, place, ready = {}, {}, {}
  for i = 1, #objects do
    local found = waitable(objects[i], i)
    if found ~= nil then
      list[#list + 1] = found
      place[#list] = i
    end
  end
  local any = #list < #objects and add_results(objects, list, ready)
  local indices, bad, fault = core.wait(list, any and 0 or timeout)
  if not indices and type(bad) == "string" then
    error("wait: " .. bad, 3)
  elseif not indices then
    error(UNFIT:format(place[bad], tostring(objects[place[bad]]), fault), 3)
  end
  for _, index in ipairs(indices) do
    if place[index] then
      ready[place[index]] = true
    end
  end
  return ready
end

-- wait(objects[, timeout]): the list of those that are ready, the very objects, in their order:
-- ended processes, queues that a get would not wait for, set events, connections with a message,
-- descriptors (integers) that poll readable, results of pools. An empty list when the time is up.
local function wait(objects, timeout)
  arguments.check_dot(objects, "wait")
  if type(objects) ~= "table" then
    error("bad argument #1 to 'wait' (list expected, got " .. type(objects) .. ")", 2)
  elseif #objects == 0 and timeout == nil then
    error("wait: nothing to wait for, and no timeout: this would never end", 2)
  elseif timeout ~= nil and (type(timeout) ~= "number" or timeout ~= timeout) then
    error(("bad argument #2 to 'wait' (number of seconds expected, got %s)"):format(
      timeout ~= timeout and "NaN" or type(timeout)), 2)
  end
  local deadline = timeout and core.now() + timeout
  while true do
    local ready = sleep(objects, timeout)
    local found = {}
    for i = 1, next(ready) and #objects or 0 do
      if ready[i] then
        found[#found + 1] = objects[i]
      end
    end
    timeout = deadline and deadline - core.now() or timeout
    if #found > 0 or timeout and timeout <= 0 then
      return found
    end
  end
end

return wait
