-- Pool: worker processes that run any function on many inputs.
--
-- What stands under it, each in a file of its own: what methods take (process.pool_arguments),
-- calls and their results (process.pool_calls, process.result, process.pool_imap), the workers'
-- lives (process.pool_workers), and the ledger in shared memory that says which task is where
-- (Tasks of process.core).
--
-- Invariant: `state` goes from "running" to "closed" to "joined", or at any time to "terminated",
-- "broken" (with `failure`) or "over" (its manager was shut down), and never back.

local arguments = require "process.arguments"
local callbacks = require "process.callbacks"
local calls = require "process.pool_calls"
local core = require "process.core"
local errors = require "process.errors"
local given = require "process.pool_arguments"
local imap = require "process.pool_imap"
local progress = require "process.progress"
local result = require "process.result"
local workers = require "process.pool_workers"

local AsyncResult, wait_for = result.AsyncResult, result.wait_for
local identity, look, unbroken = core.identity, workers.look, core.unbroken
local check_arguments, check_options = given.check_arguments, given.check_options
local function_of, input_of, read_all = given.function_of, given.input_of, given.read_all
local NO_OPTIONS <const> = given.NO_OPTIONS

local Pool = {}
Pool.__index = Pool
Pool.__name = "Pool"
Pool.__unsendable = "a pool, which belongs to the process that made it"

-- Automatic chunks: each is a fourth of a worker's share of what is left, so that the last ones are
-- small and all workers end at about the same time.
local ROUNDS <const> = 4
local LARGEST_CHUNK <const> = 8192 -- tasks
local STEPS_SHOWN <const> = 200 -- chunks, at least, of a call whose progress is watched

local SLOWEST <const> = 5 -- tasks that `stats` names

--------------------------------------------------------------------------------
-- Who calls, and when

-- Checks that the pool can be used by this process; what is wrong is raised at `level`.
local function check_owner(self, method, level)
  if getmetatable(self) ~= Pool then
    error("bad argument #1 to '" .. method .. "' (Pool expected, got " .. type(self) ..
      "; call it with a colon)", level + 1)
  elseif self.owner ~= core.identity() then
    error("a pool belongs to the process that made it: make one here", level + 1)
  end
end

-- Says at `level` why the pool takes no more work, if it does not.
local function check_running(self, method, level)
  if self.state == "broken" then
    error(self.failure, 0)
  elseif self.state == "over" then
    error(method .. ": manager is shut down", level)
  elseif self.state ~= "running" then
    error(("%s: the pool is %s and takes no more work"):format(method, self.state), level)
  end
end

-- Checks that a call can begin, takes over what has finished, and returns what will be called.
local function check_call(self, method, f)
  if getmetatable(self) ~= Pool or self.owner ~= identity() then
    check_owner(self, method, 3)
  end
  if type(f) ~= "function" then
    f = function_of(f, method)
  end
  look(self)
  if self.state ~= "running" then
    check_running(self, method, 4)
  end
  return f
end

--------------------------------------------------------------------------------
-- Beginning and waiting

-- Raises an error of the module's own code, at `level` and without the place in that code.
local function raise(message, level)
  if type(message) == "string" and message:find "^process/pool" and
    not core.is_interrupt(message) then
    error(message:gsub("^[^:]*:%d+: ", ""), level + 1)
  end
  error(message, 0)
end

-- Ends a call that an error leaves behind, half handed in or with nobody to wait for it: what has
-- not begun will not run. No interrupt strikes before a function in C is called, such as __close:
-- none comes between the error and this.
local Guard = { __close = unbroken }

function Guard:__call(failure)
  if failure ~= nil then
    calls.abandon(self.call.pool, self.call)
  end
end

-- Begins a call that the script will have, by `enter`.
local function start(enter, self, call, f)
  local _ <close> = setmetatable({ call = call }, Guard)
  enter(self, call, f)
end

-- The same for a call that nobody else has, and waits for it.
local function complete(enter, self, call, f, args)
  local _ <close> = setmetatable({ call = call }, Guard)
  enter(self, call, f, args)
  wait_for(call)
end

-- Calls one of these. Errors are raised at the level of the caller of a method that calls this.
local function run(how, ...)
  local ok, message = pcall(how, ...)
  if not ok then
    raise(message, 3)
  end
end

--------------------------------------------------------------------------------
-- apply

-- Begins the call and hands its task in: first, as the pool waits for all calls that it knows. To
-- be called through `whole`.
local function put_apply(self, call, f, args)
  local tag = calls.prepare(self, call, f, true)
  self.ledger:put(call.job, tag, "apply", args, 1, 1, call.timeout, call.retries)
  calls.enter(self, call, tag)
end

-- An error of put_apply's: the path to what cannot be sent begins at the arguments, if it is there.
local function name_args(message)
  return type(message) == "string" and message:gsub("(: at )value([%[.])", "%1args%2", 1) or message
end

local function enter_apply(self, call, f, args)
  local ok, message = unbroken(put_apply, self, call, f, args)
  if not ok then
    error(name_args(message), 0)
  end
end

-- A call that has not begun.
local function new_apply(self)
  -- The fields of most calls, so that the table has its size at once; one more, and it would be
  -- twice as large.
  return setmetatable({ pool = self, name = "apply", job = nil, is_borrower = nil, tag = nil,
    done = 0, value = nil, is_ready = false }, AsyncResult)
end

-- pool:apply(f[, args[, kwargs]]): f's results, from a worker. Its error is raised: a RemoteError.
function Pool:apply(f, args, kwargs)
  local called = check_call(self, "apply", f)
  check_arguments("apply", args, kwargs)
  args = kwargs and arguments.bind(f, args or {}, kwargs, 3) or args or {}
  local call = new_apply(self)
  run(complete, enter_apply, self, call, called, args)
  return call:get()
end

-- pool:apply_async(f[, args[, kwargs[, options]]]): the same as an AsyncResult, at once. Options:
-- callback, error_callback, timeout (seconds), retries.
function Pool:apply_async(f, args, kwargs, options)
  local called = check_call(self, "apply_async", f)
  check_arguments("apply_async", args, kwargs)
  options = options and check_options(options, "apply_async", nil, 2) or NO_OPTIONS
  args = kwargs and arguments.bind(f, args or {}, kwargs, 3) or args or {}
  local call = new_apply(self)
  if options ~= NO_OPTIONS then
    call.callback, call.error_callback = options.callback, options.error_callback
    call.timeout, call.retries = options.timeout, options.retries
  end
  local ok, message = unbroken(put_apply, self, call, called, args)
  if not ok then
    calls.abandon(self, call)
    raise(name_args(message), 2)
  end
  return call
end

--------------------------------------------------------------------------------
-- map

local function guided_chunk(self, left, largest)
  return math.min(largest, (left - 1) // (ROUNDS * self.size) + 1)
end

-- Begins the call and hands all of its tasks in.
local function enter_map(self, call, f)
  calls.begin(self, call, f, true)
  local ledger, mode = self.ledger, call.name == "starmap" and "star" or "map"
  local list, n, first = call.input, call.total, 1
  local largest = call.progress and math.min(LARGEST_CHUNK, n // STEPS_SHOWN + 1) or LARGEST_CHUNK
  call.unfinished = 0
  while first <= n do
    call.unfinished = call.unfinished + 1
    local size = call.chunksize or guided_chunk(self, n - first + 1, largest)
    first = ledger:put(call.job, call.tag, mode, list, first, math.min(n, first + size - 1),
      call.timeout, call.retries) + 1
  end
  call.input = nil
  calls.finish_if_done(self, call) -- there may have been nothing to do
end

-- A call of `name` that has not begun, for the method, whose caller is told of what is wrong.
local function new_map(self, name, method, xs, options)
  local list, n = input_of(xs, method)
  options = check_options(options, method, "chunksize", 3)
  if not n then
    list, n = read_all(list)
    check_running(self, method, 4) -- the iterator may have ended the pool
  end
  local call = setmetatable({ pool = self, name = name, total = n, done = 0, is_ready = false,
    input = list, values = { n = n }, chunksize = options.chunksize, callback = options.callback,
    error_callback = options.error_callback, timeout = options.timeout,
    retries = options.retries }, AsyncResult)
  call.progress = options.progress and progress.new(options.progress) or nil
  return call
end

-- pool:map(f, xs[, options]): the list of f(x), in the order of the input, with its `n`. xs is a
-- list or an iterator. When all have finished the first error is raised. Options: a chunk size, or
-- a table with chunksize, progress, timeout, retries, callback, error_callback.
function Pool:map(f, xs, options)
  f = check_call(self, "map", f)
  local call = new_map(self, "map", "map", xs, options)
  run(complete, enter_map, self, call, f)
  return call:get()
end

-- pool:starmap(f, xs[, options]): as map; each x is the list of f's arguments.
function Pool:starmap(f, xs, options)
  f = check_call(self, "starmap", f)
  local call = new_map(self, "starmap", "starmap", xs, options)
  run(complete, enter_map, self, call, f)
  return call:get()
end

-- pool:map_async(f, xs[, options]): as map, an AsyncResult at once.
function Pool:map_async(f, xs, options)
  f = check_call(self, "map_async", f)
  local call = new_map(self, "map", "map_async", xs, options)
  run(start, enter_map, self, call, f)
  return call
end

-- pool:starmap_async(f, xs[, options]): as starmap, an AsyncResult at once.
function Pool:starmap_async(f, xs, options)
  f = check_call(self, "starmap_async", f)
  local call = new_map(self, "starmap", "starmap_async", xs, options)
  run(start, enter_map, self, call, f)
  return call
end

--------------------------------------------------------------------------------
-- imap

local function start_imap(self, name, f, xs, options)
  local input, length = input_of(xs, name)
  options = check_options(options, name, "chunksize", 3)
  local ok, iterator = pcall(imap.start, self, name, f, input, length, options)
  if not ok then
    raise(iterator, 3)
  end
  return iterator
end

-- pool:imap(f, xs[, options]): for i, v in pool:imap(f, xs) do: the results in the order of the
-- input, each as soon as it is there. The input is read only `buffer` ahead. Options: a chunk size,
-- or a table with chunksize, buffer, errors ("yield": i, nil, error), progress, timeout, retries.
function Pool:imap(f, xs, options)
  f = check_call(self, "imap", f)
  local iterator = start_imap(self, "imap", f, xs, options)
  return iterator, nil, nil, iterator
end

-- pool:imap_unordered(f, xs[, options]): as imap, in the order in which they finish.
function Pool:imap_unordered(f, xs, options)
  f = check_call(self, "imap_unordered", f)
  local iterator = start_imap(self, "imap_unordered", f, xs, options)
  return iterator, nil, nil, iterator
end

--------------------------------------------------------------------------------
-- The end

-- What the ledger says of the workers and of the slowest tasks.
local function measure(self)
  local found = self.ledger:stats()
  for i, entry in ipairs(found.workers) do
    local worker = self.workers[i]
    entry.name, entry.pid = worker and worker.name, worker and worker.pid
    entry.started, entry.age = entry.age and core.now() - entry.age, nil
  end
  table.sort(found.slowest, function(a, b) return a.seconds > b.seconds end)
  for i, entry in ipairs(found.slowest) do
    entry.call, entry.tag = calls.name_of(entry.tag), nil
    found.slowest[i] = i <= SLOWEST and entry or nil
  end
  return found
end

-- pool:close(): takes no more work; what it has is done.
function Pool:close()
  check_owner(self, "close", 2)
  if self.state == "running" then
    self.state = "closed"
  end
  workers.take_all(self)
end

local function terminated(call)
  return errors.new{ kind = "terminated",
    value = ("the pool was terminated before %s had finished"):format(call.name) }
end

local function give_up(self)
  self.state = "terminated"
  workers.signal_all(self)
  self.ledger:close()
  self.ledger = nil
  calls.fail_all(self, terminated)
end

-- pool:terminate(): ends the workers at once; what has not finished fails with a RemoteError of
-- kind "terminated".
function Pool:terminate()
  check_owner(self, "terminate", 2)
  workers.take_all(self)
  if self.ledger then
    calls.whole(give_up, self)
  end
  workers.stop(self)
  callbacks.run(self)
end

-- Waits until all that was handed in is done, and the workers have ended. Nothing to do if the
-- input of an iterator has ended the pool.
local function finish_work(self)
  if self.ledger then
    self.is_ledger_closed = true
    self.ledger:close()
  end
  while self.outstanding > 0 or workers.are_busy(self) do
    workers.pump(self, 1)
  end
  if self.state == "closed" then
    self.last_measured = self.ledger and measure(self) or self.last_measured
    workers.join_all(self)
    self.state = "joined"
    self.ledger = nil
  end
end

-- pool:join(): waits until everything is done and the workers have ended. After close or terminate.
function Pool:join()
  check_owner(self, "join", 2)
  if self.state == "running" then
    error("join: the pool is running; close or terminate it first", 2)
  elseif self.state == "closed" then
    imap.finish_input(self)
    finish_work(self)
  end
  workers.stop(self)
  callbacks.run(self)
end

function Pool:__close()
  if self.owner == core.identity() then
    self:terminate()
  end
end

function Pool:__gc()
  if self.owner == core.identity() then
    workers.signal_all(self)
  end
end

-- pool:look(): takes over what has finished, also the end of its manager, in the process that made
-- it.
function Pool:look()
  if self.owner == core.identity() then
    workers.take_all(self)
  end
end

--------------------------------------------------------------------------------
-- Insight

-- pool:stats(): what the pool does and did: workers, restarts, chunks, the slowest tasks. After
-- join what they were at the end.
function Pool:stats()
  check_owner(self, "stats", 2)
  workers.take_all(self)
  local found = self.ledger and measure(self) or self.last_measured
  return { processes = self.size, restarts = self.restarts, state = self.state,
    outstanding = self.outstanding, workers = found and found.workers or {},
    slowest = found and found.slowest or {} }
end

function Pool:__tostring()
  return ("<Pool state=%s pool_size=%d>"):format(self.state, self.size)
end

--------------------------------------------------------------------------------
-- Making one

-- Pool([n | options]): n worker processes, cpu_count() without a number. Options: processes,
-- initializer (called in each worker as it starts), initargs, maxtasksperchild (a worker that has
-- done so many tasks is replaced). Raises if a worker cannot be started.
-- `keep(ledger)`, if given, is called before anybody else has the ledger; faults are raised at
-- `level`, by default the caller's.
local function new(options, keep, level)
  options = check_options(options, "Pool", "processes", level or 2)
  local self = {
    owner = core.identity(), state = "running", size = options.processes or core.cpu_count(),
    initializer = options.initializer, initargs = options.initargs or {},
    maxtasksperchild = options.maxtasksperchild,
    workers = {}, restarts = 0,
    hasty = {}, -- by worker: deaths in a row before it served
    dead = {}, -- by pid: names of workers that died since the pool last had nothing to do
    calls = {}, outstanding = 0, last_call = 0, -- by tag; how many; number of the last
    callbacks = { first = 1, last = 0 }, -- calls whose callbacks are due
    kept_jobs = {}, next_kept = 1, -- job -> true, -place -> job
    plain = nil, plain_job = nil, -- the last function that has no upvalues
    is_tended = true, is_managed = false, is_ledger_closed = false, has_remarked = false,
    failure = nil,
    last_measured = nil, -- what `stats` says after join
    faults = options.initializer and core.Queue() or nil, -- what initializers raised
  }
  setmetatable(self, Pool)
  self.ledger = core.Tasks(self.size)
  if keep then
    keep(self.ledger)
    self.is_managed = true
  end
  workers.start_all(self)
  return self
end

return { new = new, Pool = Pool }
