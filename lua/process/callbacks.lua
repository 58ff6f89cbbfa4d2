-- Callbacks: what a script wants called when a call of its pool has ended.
--
-- There is no thread that could call them: they are called while the process that made the pool is
-- in a method of the pool or of its results, or waits for something else (core.chores).
--
-- Invariant: `awaited` has the pools with callbacks that have not been called yet, and how many
-- calls these belong to. After a fork it may have pools of the parent, which are dropped.

local core = require "process.core"

local callbacks = {}

local awaited = {} -- pool -> calls

-- Takes over what has finished in each pool with callbacks, and so calls those that are due.
local function attend()
  local pools = {}
  for pool in pairs(awaited) do
    pools[#pools + 1] = pool
  end
  for _, pool in ipairs(pools) do
    if pool.owner == core.identity() then
      pool:look()
    else
      awaited[pool] = nil
    end
  end
  if next(awaited) == nil then
    core.chores(nil)
  end
end

local function settle(pool)
  local left = (awaited[pool] or 1) - 1
  awaited[pool] = left > 0 and left or nil
end

-- expect(pool): a call with callbacks has begun.
function callbacks.expect(pool)
  awaited[pool] = (awaited[pool] or 0) + 1
  core.chores(attend)
end

-- forget(pool, call): nobody wants the callbacks of this call, which has begun, if it has any. To
-- be called through `whole` of process.pool_calls, as are `expect` and `queue`.
function callbacks.forget(pool, call)
  if call.callback or call.error_callback then
    call.callback, call.error_callback = nil, nil
    settle(pool)
  end
end

-- queue(pool, call): the call, which has callbacks, has ended; the right one of them is due.
function callbacks.queue(pool, call)
  local f = call.callback
  if call.failure then
    f = call.error_callback
  end
  if f then
    local queue = pool.callbacks
    queue[queue.last + 1] = { f, call }
    queue.last = queue.last + 1
  else
    settle(pool)
  end
  call.callback, call.error_callback = nil, nil
end

local function report(message)
  if core.is_interrupt(message) then
    return message
  end
  io.stderr:write("error in a pool's callback: ", debug.traceback(tostring(message), 2), "\n")
end

-- Takes the first callback that is due out of the queue: the function and its call.
local function pop(pool)
  local queue = pool.callbacks
  local place = queue.first
  local f, call = table.unpack(queue[place])
  queue.first = place + 1
  queue[place] = nil
  settle(pool)
  return f, call
end

-- run(pool): calls what is due, in the order of the calls' ends. An error in a callback is printed
-- and changes nothing else; an interrupt passes through.
function callbacks.run(pool)
  local queue = pool.callbacks
  while queue.first <= queue.last do
    local _, f, call = core.unbroken(pop, pool)
    local ok, interrupt
    if call.failure then
      ok, interrupt = xpcall(f, report, call.failure)
    else
      ok, interrupt = xpcall(f, report, call:results())
    end
    if not ok and core.is_interrupt(interrupt) then
      error(interrupt, 0)
    end
  end
end

return callbacks
