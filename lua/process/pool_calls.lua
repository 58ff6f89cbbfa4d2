-- The calls of a pool: each apply, map or imap from its beginning until its last task has finished.
--
-- A call is the AsyncResult that the script has of it (process.result) or what an iterator stands
-- on (process.pool_imap). The ledger knows a call by its tag. Invariant: a call is in `pool.calls`
-- from `enter` until its end, and it ends once: with all its tasks finished, or by `abandon` or
-- `fail_all`.

local callbacks = require "process.callbacks"
local core = require "process.core"
local errors = require "process.errors"

local getupvalue, unbroken = debug.getupvalue, core.unbroken

local calls = {}

-- Names of the calls. The tag of a call says which it is, also when the call is long over: what the
-- ledger says of the slowest tasks has nothing but the tag.
local NAMES <const> = { [0] = "apply", "map", "starmap", "imap", "imap_unordered" }
local NUMBERS <const> = { apply = 0, map = 1, starmap = 2, imap = 3, imap_unordered = 4 }
local KINDS <const> = 8 -- a power of two, more than there are names

-- A function that many calls in a row use is sent once: so many are kept beyond their call's end.
local KEPT_JOBS <const> = 8

local LARGE <const> = 1 << 20 -- bytes; a function that carries more is worth a remark

local SIGNALS <const> = { [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE", [9] = "SIGKILL",
  [11] = "SIGSEGV", [15] = "SIGTERM" }

-- name_of(tag): the name of the call with this tag.
function calls.name_of(tag)
  return NAMES[tag % KINDS]
end

--------------------------------------------------------------------------------
-- Functions

-- The upvalue of f that is the largest when sent, and its bytes.
local function largest_upvalue(f)
  local largest, bytes
  for i = 1, math.huge do
    local name, value = debug.getupvalue(f, i)
    if name == nil then
      return largest, bytes
    end
    local sent, text = pcall(core.dumps, value)
    if sent and #text > (bytes or 0) then
      largest, bytes = name, #text
    end
  end
end

-- Says, once in a pool's life, that a function carries much along.
local function remark(pool, f, name, bytes)
  if pool.has_remarked then
    return
  end
  pool.has_remarked = true
  local upvalue, part = largest_upvalue(f)
  local most = " with the globals that it names"
  if upvalue and part > bytes / 2 then
    most = (" (%.1f MB: %s)"):format(part / 1e6, upvalue)
  end
  io.stderr:write(("mpl: the function given to %s takes %.1f MB along%s; what an initializer "
    .. "makes, or a shared object, is not sent with each call\n"):format(name, bytes / 1e6, most))
end

-- Gives a call the job of its function. A function without upvalues is the same at each call: as
-- long as its job is kept it is not encoded again, and the call, if it is brief, only borrows the
-- job. (A brief call hands all of its tasks in before anything else happens to the pool.)
local function take_job(pool, call, f, is_brief)
  if is_brief and f == pool.plain and pool.kept_jobs[pool.plain_job] then
    call.job, call.is_borrower = pool.plain_job, true
    return
  end
  local job, bytes = pool.ledger:job(f)
  call.job = job
  if bytes > LARGE then
    remark(pool, f, call.name, bytes)
  end
  if getupvalue(f, 1) == nil then
    pool.plain, pool.plain_job = f, job
  end
end

-- The call needs its function no more. May lack memory: then nothing has happened.
local function release_job(pool, call)
  local job, kept = call.job, pool.kept_jobs
  if job == nil or call.is_borrower or pool.ledger == nil then
    return
  elseif kept[job] then
    call.job = nil
    pool.ledger:drop_job(job)
    return
  end
  local place = pool.next_kept
  if kept[-place] and kept[-place] == pool.plain_job then
    place = place % KEPT_JOBS + 1 -- a brief call may be about to use it: this may be a finalizer
  end
  local oldest = kept[-place]
  kept[-place] = oldest or false -- makes its place
  kept[job] = true
  kept[-place], call.job = job, nil
  pool.next_kept = place % KEPT_JOBS + 1
  if oldest then
    kept[oldest] = nil
    pool.ledger:drop_job(oldest)
  end
end

--------------------------------------------------------------------------------
-- Life

-- whole(f, ...): calls f; an interrupt cannot leave it half done.
local function whole(f, ...)
  local ok, message = unbroken(f, ...)
  if not ok then
    error(message, 0)
  end
end
calls.whole = whole

-- prepare(pool, call, f[, is_brief]): gives the table `call`, with its fields `pool` and `name`,
-- its job; returns what will be its tag. Raises if f cannot be sent. `is_brief`: all of its tasks
-- are handed in at once. To be called through `whole`, as is `enter`.
function calls.prepare(pool, call, f, is_brief)
  take_job(pool, call, f, is_brief)
  pool.last_call = pool.last_call + 1
  return pool.last_call * KINDS + NUMBERS[call.name]
end

-- enter(pool, call, tag): the call is one of the pool's.
function calls.enter(pool, call, tag)
  pool.calls[tag] = call
  pool.outstanding = pool.outstanding + 1
  call.tag = tag
  if call.callback or call.error_callback then
    callbacks.expect(pool)
  end
end

-- begin(pool, call, f[, is_brief]): both, whole, for a call that hands its tasks in afterwards.
function calls.begin(pool, call, f, is_brief)
  whole(function() calls.enter(pool, call, calls.prepare(pool, call, f, is_brief)) end)
end

-- A call is over: all its tasks have finished, or `failure` says why they will not.
-- (An iterator's tasks fail one by one: its call as a whole does not.) Whatever needs memory comes
-- first, and may be done again.
local function finish(pool, call, failure)
  call.failure = failure
  release_job(pool, call)
  if call.callback or call.error_callback then
    callbacks.queue(pool, call)
  end
  if call.progress then
    call.progress:finish()
  end
  if call.is_ready then
    return -- a finalizer was here meanwhile
  end
  call.is_ready = true
  pool.calls[call.tag] = nil
  pool.outstanding = pool.outstanding - 1
  if pool.outstanding == 0 and next(pool.dead) then
    pool.dead = {}
  end
end

-- Ends a call whose tasks, all handed in, have all finished.
local function finish_if_done(pool, call)
  if call.done == call.total and not call.is_ready then
    finish(pool, call, call:own_failure())
  end
end

-- finish_if_done(pool, call): the same, whole.
function calls.finish_if_done(pool, call)
  whole(finish_if_done, pool, call)
end

-- cancel(pool, call): takes the call's queued tasks back and interrupts those that run. Whether
-- there were any.
function calls.cancel(pool, call)
  local any = false
  while pool.ledger and pool.ledger:cancel(call.tag) do
    any = true
  end
  return any
end

local function abandon(pool, call)
  if call.tag then
    callbacks.forget(pool, call)
    finish(pool, call)
    calls.cancel(pool, call)
  else
    release_job(pool, call) -- it has not begun
  end
end

-- abandon(pool, call): nobody wants the call any more; what is queued of it will not run.
function calls.abandon(pool, call)
  if not call.is_ready then
    whole(abandon, pool, call)
  end
end

-- fail_all(pool, make_error): ends all calls; `make_error(call)` gives the error of each. To be
-- called through `whole`.
function calls.fail_all(pool, make_error)
  local list = {}
  for _, call in pairs(pool.calls) do
    list[#list + 1] = call
  end
  table.sort(list, function(a, b) return a.tag < b.tag end)
  for _, call in ipairs(list) do
    finish(pool, call, make_error(call))
  end
end

--------------------------------------------------------------------------------
-- Results

local function how_it_ended(code)
  if code == nil then
    return "died"
  elseif code < 0 then
    return "was killed by " .. (SIGNALS[-code] or "signal " .. -code)
  end
  return "exited with status " .. code
end

-- how_it_ended(code): the words for an exit code.
calls.how_it_ended = how_it_ended

local function task_name(call, index)
  return call.name == "apply" and "a task of apply" or ("task %d of %s"):format(index, call.name)
end

-- The name of the worker with this pid; nil if there is none.
local function worker_name(pool, pid)
  for _, worker in pairs(pool.workers) do
    if pid and worker.pid == pid then
      return worker.name
    end
  end
  return pool.dead[pid]
end

-- The RemoteError of a task, from what the ledger says.
local function remote_error(pool, call, index, found)
  if getmetatable(found) == errors.RemoteError then
    return found
  end
  local task = task_name(call, index)
  local fields = { process = worker_name(pool, found.pid), pid = found.pid,
    traceback = found.traceback }
  if found.lost then
    fields.kind = "worker lost"
    fields.value = ("worker %s (pid %s) %s in %s"):format(fields.process or "of the pool",
      found.pid or "?", how_it_ended(found.code), task)
    if (found.attempts or 1) > 1 then
      fields.value = fields.value .. (", attempt %d"):format(found.attempts)
    end
  elseif found.timeout then
    fields.kind = "timeout"
    fields.value = ("%s did not end within %g seconds"):format(task, call.timeout or 0)
  elseif found.cancelled then
    fields.kind, fields.value = "cancelled", task .. " was cancelled"
  elseif found.nomem then
    fields.value = ("out of shared memory: no room for the result of %s"):format(task)
  else
    fields.value = ("the result of %s cannot be read: %s"):format(task, found.broken)
  end
  return errors.new(fields)
end

-- Takes over the errors of a chunk, whose first task has the index `first`.
local function note_errors(pool, call, first, found)
  local known = call.errors or {}
  call.errors = known
  for i, e in pairs(found) do
    local index = first + i - 1
    local err = remote_error(pool, call, index, e)
    if call.name ~= "apply" then
      err.index = index
    end
    if known[index] == nil then
      call.failed = call.failed + 1
    end
    known[index] = err
    if not call.first_error or index < call.first_error then
      call.first_error = index
    end
  end
end

-- deliver(pool, tag, first, values, found, is_plain): a chunk has finished; see Tasks:collect.
-- Returns the progress that is to be told, if there is one. If memory is lacking it is called again
-- with the same: as long as a task of the call is missing nothing of this chunk was stored, else
-- all of it.
function calls.deliver(pool, tag, first, values, found, is_plain)
  local call = pool.calls[tag]
  if not call then
    return -- abandoned
  end
  if call.done ~= call.total then
    if found then
      note_errors(pool, call, first, found)
    end
    if call.progress then
      call.progress:update(call.done + (is_plain and 1 or values.n), call.total, call.failed)
    end
    call.done = call.done + call:store(first, values, is_plain)
  end
  finish_if_done(pool, call)
  return call.progress
end

return calls
