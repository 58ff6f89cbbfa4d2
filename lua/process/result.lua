-- AsyncResult: what apply_async, map_async and starmap_async return: a call (process.pool_calls)
-- with the methods by which a script waits for it.

local callbacks = require "process.callbacks"
local calls = require "process.pool_calls"
local core = require "process.core"
local workers = require "process.pool_workers"

local identity, now, run_callbacks = core.identity, core.now, callbacks.run

local AsyncResult = {}
AsyncResult.__index = AsyncResult
AsyncResult.__name = "AsyncResult"

-- What a call is as long as it does not say otherwise.
AsyncResult.is_ready = false
AsyncResult.total, AsyncResult.done, AsyncResult.failed = 1, 0, 0 -- tasks
AsyncResult.unfinished = 1 -- chunks

AsyncResult.__unsendable = "a result, which belongs to the process that made the pool"

-- Finished chunks that are worth a look for one who waits for all of them.
local MANY <const> = 64

local function check(self, method)
  if getmetatable(self) ~= AsyncResult then
    error("bad argument #1 to '" .. method .. "' (AsyncResult expected, got " .. type(self) ..
      "; call it with a colon)", 3)
  elseif self.pool.owner ~= identity() then
    error("only the process that made the pool has its results", 3)
  end
  return self.pool
end

local function check_timeout(timeout, method)
  if timeout ~= nil and (type(timeout) ~= "number" or timeout ~= timeout) then
    error(("bad argument #1 to '%s' (number of seconds expected, got %s)"):format(method,
      type(timeout) == "number" and "NaN" or type(timeout)), 3)
  end
end

-- Waits until the call has ended or `timeout` seconds have passed; whether it has ended. Callbacks
-- have been called when it returns.
local function wait_for(self, timeout)
  if self.is_ready then
    run_callbacks(self.pool)
    return true
  end
  local pool, progress = self.pool, self.progress
  local deadline = timeout and now() + timeout
  local many = progress and 1 or MANY
  local bar <close> = progress -- tidied up if an error ends the wait
  while not self.is_ready do
    local left = deadline and deadline - now()
    local slice = bar and math.min(left or math.huge, bar.interval) or left
    if not workers.pump(pool, math.min(many, self.unfinished), slice) then
      if left and left <= 0 then
        break
      elseif bar then
        bar:tick()
      end
    end
  end
  run_callbacks(pool)
  return self.is_ready
end

-- r:wait([timeout]): until the result is ready: true; false, "timeout".
function AsyncResult:wait(timeout)
  check(self, "wait")
  check_timeout(timeout, "wait")
  if wait_for(self, timeout) then
    return true
  end
  return false, "timeout"
end

-- r:get([timeout]): what the call gives: all results of an apply's function, the list of a map's.
-- nil, "timeout". The call's error is raised: a RemoteError.
function AsyncResult:get(timeout)
  check(self, "get")
  check_timeout(timeout, "get")
  if not wait_for(self, timeout) then
    return nil, "timeout"
  elseif self.failure then
    error(self.failure, 0)
  end
  return self:results()
end

-- r:ready(): whether get would not wait.
function AsyncResult:ready()
  workers.take_all(check(self, "ready"))
  return self.is_ready
end

-- r:successful(): whether get would raise no error. Raises if the result is not ready.
function AsyncResult:successful()
  workers.take_all(check(self, "successful"))
  if not self.is_ready then
    error("the result is not ready: successful() says something only afterwards", 2)
  end
  return self.failure == nil
end

-- r:cancel(): tasks that have not begun will not run, running ones are interrupted; get raises a
-- RemoteError of kind "cancelled". True; false if there was nothing left to cancel.
function AsyncResult:cancel()
  local pool = check(self, "cancel")
  workers.take_all(pool)
  return not self.is_ready and calls.cancel(pool, self)
end

-- For process.pool_calls: takes over the results of a chunk; how many tasks they are of. If that
-- raises nothing has happened that may not happen again. `is_plain`: `values` is the value of the
-- only one.
function AsyncResult:store(first, values, is_plain)
  if self.name == "apply" then
    if is_plain then
      self.value = values
    else
      self.values = values
    end
    return 1
  end
  local n = 1
  if is_plain then
    self.values[first] = values
  else
    n = values.n
    table.move(values, 1, n, first, self.values)
  end
  self.unfinished = self.unfinished - 1
  return n
end

-- For process.pool_calls: the error of the first task, in the order of the input, that failed.
function AsyncResult:own_failure()
  return self.errors and self.errors[self.first_error]
end

-- For process.pool_calls: what get returns.
function AsyncResult:results()
  local values = self.values
  if self.name ~= "apply" then
    return values
  elseif values then
    return table.unpack(values, 1, values.n)
  end
  return self.value
end

function AsyncResult:__tostring()
  if not self.is_ready then
    return ("<AsyncResult %s %d/%d>"):format(self.name, self.done, self.total)
  end
  return ("<AsyncResult %s %s>"):format(self.name, self.failure and "failed" or "ready")
end

-- is_result(v): whether it is an AsyncResult.
local function is_result(v)
  return type(v) == "table" and getmetatable(v) == AsyncResult
end

return { AsyncResult = AsyncResult, add_wakers = workers.add_wakers, is_result = is_result,
  wait_for = wait_for }
