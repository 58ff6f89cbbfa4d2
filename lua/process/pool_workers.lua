-- The workers of a pool: how they start, are replaced and end, and how the owner hears of them.
--
-- Invariant: pool.workers[i] is the process that serves as worker i of the ledger, or nil from the
-- moment its death was told to the ledger until its replacement has started. If an interrupt came
-- just before the start it is a process that was not started: it has no pid.

local callbacks = require "process.callbacks"
local calls = require "process.pool_calls"
local class = require "process.class"
local core = require "process.core"
local errors = require "process.errors"

local deliver, unbroken = calls.deliver, core.unbroken

local workers = {}

-- A worker that dies in its initializer so many times in a row will do so for ever.
local HASTY_DEATHS <const> = 5

-- Finished chunks that are worth being taken over by one who does not need them.
local MANY <const> = 16

local GRACE <const> = 2 -- seconds from the signal to SIGKILL

-- A worker as a process. It may have children though it is a daemon: a pool in a pool's task.
local Worker = class.Process:extend("PoolWorker")
Worker.may_have_children = true

function Worker:init(pool, index)
  self.daemon = true
  -- Not the pool: a worker must not reach what only the owner uses.
  self.duty = { ledger = pool.ledger, index = index, initializer = pool.initializer,
    initargs = pool.initargs, max = pool.maxtasksperchild, faults = pool.faults }
end

-- Whoever finds a worker in active_children may close it once it has ended; what it ended by the
-- pool has still to learn, and releases it then.
function Worker:close()
  if self:is_alive() then
    class.Process.close(self)
  end
end

-- Message handler of initializers; an interrupt stays one. The traceback has the initializer's own
-- frames.
local function capture(message)
  if core.is_interrupt(message) then
    return message
  end
  local frames = debug.traceback(nil, 2)
  return errors.capture(message, frames:match("^(.-)\n%s*%[C%]: in function 'xpcall'") or frames)
end

function Worker:run()
  local duty = self.duty
  local initializer, args = duty.initializer, duty.initargs
  if initializer then
    local ok, failure = xpcall(initializer, capture, table.unpack(args, 1, args.n or #args))
    if not ok and core.is_interrupt(failure) then
      error(failure, 0)
    elseif not ok then
      duty.faults:put(failure)
      return
    end
  end
  local ok, message = pcall(duty.ledger.serve, duty.ledger, duty.index, duty.max, errors.capture)
  if not ok and not core.manager_over(duty.ledger) then
    error(message, 0)
  end
end

local function start(pool, index)
  local worker = Worker(pool, index)
  -- First of all: from here on an interrupt may come at any place.
  pool.workers[index] = worker
  local ok, message = pcall(worker.start, worker)
  if not ok then
    if not worker.pid then
      pool.workers[index] = nil
    end
    error(message, 0)
  end
  worker.duty = nil
end

-- An error message without the place in this file.
local function plain(message)
  return (tostring(message):gsub("^process/[^:]*:%d+: ", ""))
end

local function start_each(pool)
  for i = 1, pool.size do
    start(pool, i)
  end
end

-- start_all(pool): starts the workers. If one cannot be started none is left, and it raises.
function workers.start_all(pool)
  local ok, message = pcall(start_each, pool)
  if not ok then
    workers.stop(pool)
    error(core.is_interrupt(message) and message or plain(message), 0)
  end
end

-- signal_all(pool): tells all workers to end; nothing if they were told before. Those that serve
-- take the programs along that they have started, and must not be disturbed in that.
function workers.signal_all(pool)
  for i, worker in pairs(pool.workers) do
    if worker.pid and not worker.is_told then
      worker.is_told = true
      if not (pool.ledger and pool.ledger:kill(i)) then
        worker:terminate()
      end
    end
  end
end

-- stop(pool): ends all workers, whatever they do, and waits until they are gone.
function workers.stop(pool)
  workers.signal_all(pool)
  local deadline = core.now() + GRACE
  for i, worker in pairs(pool.workers) do
    if worker.pid and not worker:join(math.max(0, deadline - core.now())) then
      worker:kill()
      worker:join()
    end
    pool.workers[i] = nil
  end
end

-- join_all(pool): waits until the workers have ended, as they do when the ledger is closed and
-- empty.
function workers.join_all(pool)
  for i, worker in pairs(pool.workers) do
    if worker.pid then
      worker:join()
    end
    pool.workers[i] = nil
  end
end

--------------------------------------------------------------------------------
-- Deaths

-- The pool cannot go on: all calls fail with this error, and so will all later ones.
local function break_down(pool, failure, state)
  calls.whole(function()
    workers.signal_all(pool)
    pool.failure, pool.state, pool.ledger = failure, state, nil
    calls.fail_all(pool, function() return failure end)
  end)
  workers.stop(pool)
end

-- Tells the ledger of worker i's death. An error if there is no use in replacing it.
local function bury(pool, i)
  local worker = pool.workers[i]
  local pid, code = worker.pid, worker.exitcode
  if not pid then
    pool.workers[i] = nil -- an interrupt came before it was started
    return nil
  end
  pool.dead[pid] = worker.name
  local served = pool.ledger:lost(i, code)
  pool.workers[i] = nil
  class.Process.close(worker)
  pool.hasty[i] = not served and pool.initializer and (pool.hasty[i] or 0) + 1 or 0
  if pool.faults then
    local failure = pool.faults:get(false)
    if failure then
      return failure
    end
  end
  if pool.hasty[i] >= HASTY_DEATHS then
    return errors.new{ kind = "worker lost", process = worker.name, pid = pid,
      value = ("the pool's workers die in their initializer: %s (pid %d) %s"):format(worker.name,
        pid, calls.how_it_ended(code)) }
  end
  return nil
end

-- Starts the worker that is missing. An error if that fails.
local function replace(pool, i)
  pool.restarts = pool.restarts + 1
  local ok, message = pcall(start, pool, i)
  if ok then
    return nil
  elseif core.is_interrupt(message) then
    error(message, 0)
  end
  return errors.new{ kind = "worker lost",
    value = "a worker of the pool cannot be replaced: " .. plain(message) }
end

-- Whether somebody must be there to work.
local function is_needed(pool)
  return pool.state == "running" or pool.outstanding > 0 and not pool.is_ledger_closed or
    pool.ledger:queued() > 0
end

-- are_busy(pool): whether there are chunks that are not done, be it of calls that nobody wants any
-- more. A worker that dies of one is to be told of, or the others wait for it and do not end.
function workers.are_busy(pool)
  if not pool.ledger then
    return false
  end
  local queued, running = pool.ledger:queued()
  return queued + running > 0
end

-- A child has ended: workers that are dead are replaced. If an interrupt comes between it is to be
-- done again.
local function tend(pool)
  pool.is_tended = false
  for i = 1, pool.size do
    local worker, failure = pool.workers[i], nil
    if worker and not worker:is_alive() then
      failure = bury(pool, i)
    end
    if not failure and not pool.workers[i] and is_needed(pool) then
      failure = replace(pool, i)
    end
    if failure then
      break_down(pool, failure, "broken")
      return
    end
  end
  pool.is_tended = true
end

-- The pool's manager was shut down: it is over. Returns what `pump` returns then.
local function end_with_manager(pool)
  break_down(pool, errors.new{ kind = "terminated", value = "manager is shut down" }, "over")
  return false
end

-- Takes one finished chunk over, as Tasks:collect does. An interrupt must not come between, for a
-- death is told once.
local function take(pool, wanted, timeout)
  local taken, what = pool.ledger:collect(deliver, pool, wanted, timeout)
  if what == "child" then
    pool.is_tended = false
  end
  return taken, what
end

-- pump(pool, wanted, timeout): takes one finished chunk over, or acts on a death. False if there
-- was nothing until the time was up, or the pool is over. `wanted`: so many chunks are worth waking
-- for.
local function pump(pool, wanted, timeout)
  local ledger = pool.ledger
  if not ledger then
    return false
  elseif pool.is_managed and core.manager_over(ledger) then
    return end_with_manager(pool)
  elseif not pool.is_tended then
    tend(pool)
    return true
  end
  local ok, taken, what = unbroken(take, pool, wanted, timeout)
  if not ok and core.manager_over(ledger) then
    return end_with_manager(pool)
  elseif not ok then
    error(taken, 0)
  elseif taken then
    if what then
      what:tell()
    end
    return true
  elseif what == "child" then
    tend(pool)
    return true
  end
  return false
end

workers.pump = pump

-- add_wakers(pool, list): adds to a list for core.wait what a call of `pump` would be woken by.
function workers.add_wakers(pool, list)
  list[#list + 1] = pool.ledger
  for _, worker in pairs(pool.workers) do
    list[#list + 1] = class.waitable(worker)
  end
end

-- look(pool): takes over what has finished and runs callbacks if that is worth the while: many
-- chunks, or a death. For who will be back soon.
function workers.look(pool)
  local ledger = pool.ledger
  if not ledger or pool.is_managed or not pool.is_tended or ledger:due(MANY) then
    workers.take_all(pool)
  end
end

-- take_all(pool): takes over all that has finished, without waiting, and runs callbacks.
function workers.take_all(pool)
  while pump(pool, 1, 0) do end
  if pool.callbacks.first <= pool.callbacks.last then
    callbacks.run(pool)
  end
end

return workers
