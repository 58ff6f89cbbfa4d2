-- imap and imap_unordered: iterators that feed a pool only a little way ahead of whoever takes the
-- results.
--
-- Invariant: tasks handed in and not yet given out are at most `buffer`; a result that was given
-- out is not kept.

local callbacks = require "process.callbacks"
local calls = require "process.pool_calls"
local core = require "process.core"
local progress = require "process.progress"
local workers = require "process.pool_workers"

local identity, unbroken = core.identity, core.unbroken
local pump, run_callbacks = workers.pump, callbacks.run

local imap = {}

-- The call behind an iterator.
local Feed = {}
Feed.__index = Feed

-- What the script has. It is not the call, which the pool holds: one that is dropped is collected,
-- and so the call is known to be wanted no more.
local Iterator = {}
Iterator.__index = Iterator
Iterator.__name = "imap iterator"
Iterator.__unsendable = "an iterator, which belongs to the process that made the pool"

local NO_CHUNK <const> = { n = 0 } -- never changed

--------------------------------------------------------------------------------
-- Feeding

-- No more input. To be called through `whole`.
local function end_input(feed)
  feed.total = feed.handed
  calls.finish_if_done(feed.pool, feed)
  feed.is_at_end = true
end

-- Reads items of an iterator's until `size` wait to be handed in, or it ends. An error of the
-- iterator's ends the input and drops the chunk that was begun; it is raised after the results of
-- what came before. The iterator may do what it likes meanwhile: let somebody else take results,
-- end the pool.
local function read_items(feed, size)
  while feed.read - feed.handed < size and not feed.is_read_up do
    local ok, item = pcall(feed.input)
    if ok and item ~= nil then
      local n = feed.read + 1
      feed.items[n] = item
      feed.read = n
    elseif ok then
      feed.is_read_up = true
    elseif core.is_interrupt(item) then
      error(item, 0)
    else
      feed.input_failure = { item }
      feed.read, feed.is_read_up = feed.handed, true
    end
  end
end

-- Hands in up to `size` of the items that were read.
local function hand_in(feed, size)
  local ledger, items, first = feed.pool.ledger, feed.items, feed.handed + 1
  local last = math.min(feed.read, feed.handed + size)
  while feed.handed < last do
    feed.handed = ledger:put(feed.job, feed.tag, "map", items, feed.handed + 1, last, feed.timeout,
      feed.retries)
  end
  for i = first, feed.length and 0 or last do
    items[i] = nil
  end
end

-- Hands in one chunk of at most `size` tasks. An item that cannot be sent ends the input, too.
local function feed_chunk(feed, size)
  if not feed.is_read_up then
    read_items(feed, size)
    if feed.is_at_end or feed.is_ready then
      return -- so it is since its input was asked
    end
  end
  local ok, message = unbroken(hand_in, feed, size)
  if not ok then
    if core.is_interrupt(message) then
      error(message, 0)
    end
    feed.input_failure = { (tostring(message):gsub("^process/[^:]*:%d+: ", "")) }
  end
  if not ok or feed.is_read_up and feed.handed == feed.read then
    calls.whole(end_input, feed)
  end
end

-- Hands in whole chunks while there is room for them.
local function fill(feed, buffer)
  while not feed.is_at_end and not feed.is_ready and
    feed.handed - feed.before - feed.position + feed.chunksize <= buffer do
    feed_chunk(feed, feed.chunksize)
  end
end

-- finish_input(pool): the pool is to end: iterators hand in the rest of their input.
function imap.finish_input(pool)
  for _, call in pairs(pool.calls) do
    if getmetatable(call) == Feed and not call.is_at_end then
      fill(call, math.huge) -- until it is at its end, or over
      return imap.finish_input(pool) -- the input may have changed the pool's calls
    end
  end
end

--------------------------------------------------------------------------------
-- Results

-- For process.pool_calls: takes over the results of a chunk; how many tasks they are of. If that
-- raises nothing has happened that may not happen again. `is_plain`: `values` is the value of the
-- only one.
function Feed:store(first, values, is_plain)
  if is_plain then
    values = { values, n = 1, first = first }
  else
    values.first = first
  end
  if self.is_ordered then
    self.chunks[first] = values
  else
    local last = self.last_chunk + 1
    self.chunks[last] = values
    self.last_chunk = last
  end
  return values.n
end

-- For process.pool_calls: an error of a task's is raised at its turn, and is not the call's.
function Feed:own_failure() -- luacheck: ignore 212
  return nil
end

-- Where in `feed.chunks` the chunk is, or will be, that comes behind the one at hand.
local function next_key(feed)
  return feed.is_ordered and feed.before + feed.chunk.n + 1 or feed.next_chunk
end

-- The next chunk, which is there, is that at hand.
local function take_chunk(feed)
  local key = next_key(feed)
  feed.before, feed.position = feed.before + feed.chunk.n, 0
  feed.chunk, feed.chunks[key] = feed.chunks[key], nil
  feed.next_chunk = feed.next_chunk + 1
end

-- Gives out the next result of the chunk at hand: index and value; index, nil, error, or the error
-- is raised. An interrupt before the very end takes nothing away.
local function give(feed)
  local chunk, i = feed.chunk, feed.position + 1
  local index, value = chunk.first + i - 1, chunk[i]
  local failure = feed.errors and feed.errors[index]
  if i > 1 then
    chunk[i - 1] = nil -- was given out
  end
  if not failure then
    feed.position = i
    return index, value
  end
  feed.position = i
  feed.errors[index] = nil
  if not feed.yields_errors then
    error(failure, 0)
  end
  return index, nil, failure
end

-- Everything was given out, or nothing more will come. Raises what ended it before its time.
local function give_end(feed)
  local failure = feed.input_failure
  if failure then
    feed.input_failure = nil
    error(failure[1], 0)
  elseif feed.failure and not feed.is_over then
    feed.is_over = true
    error(feed.failure, 0)
  end
  return nil
end

-- Waits until there is a result: true; false, and what there is instead: nothing at the end, or
-- "timeout". What the script has called meanwhile may have taken results, too.
local function wait_for(feed, timeout)
  local pool = feed.pool
  local deadline = timeout and core.now() + timeout
  local bar <close> = feed.progress -- tidied up if an error ends the wait
  local began = bar and core.now()
  while feed.position == feed.chunk.n and not feed.chunks[next_key(feed)] do
    if feed.is_ready then
      return false
    end
    local left = deadline and deadline - core.now()
    local slice = bar and math.min(left or math.huge, bar.interval) or left
    if not pump(pool, 1, slice) then
      if left and left <= 0 then
        return false, "timeout"
      elseif bar then
        bar:tick()
      end
    end
  end
  if bar then
    bar:hide(began)
  end
  return true
end

-- The next result: index, value[, error]; nil at the end; nil, "timeout".
local function next_result(feed, timeout)
  if feed.position < feed.chunk.n then
    return give(feed)
  end
  if not feed.is_ready then
    fill(feed, feed.buffer)
  end
  local is_there, word = wait_for(feed, timeout)
  if word then
    return nil, word
  end
  local due = feed.pool.callbacks
  if due.first <= due.last then
    run_callbacks(feed.pool)
    return next_result(feed, timeout)
  elseif not is_there then
    return give_end(feed)
  elseif feed.position == feed.chunk.n then
    calls.whole(take_chunk, feed)
  end
  return give(feed)
end

--------------------------------------------------------------------------------
-- Iterators

local function check(self, method)
  if getmetatable(self) ~= Iterator then
    error("bad argument #1 to '" .. method .. "' (imap iterator expected, got " .. type(self) ..
      "; call it with a colon)", 3)
  elseif self.feed.pool.owner ~= identity() then
    error("only the process that made the pool has its results", 3)
  end
  return self.feed
end

-- it(): what a `for` calls.
function Iterator:__call()
  return next_result(check(self, "__call"))
end

-- it:next([timeout]): the index and the result of the next task; nil at the end; nil, "timeout".
function Iterator:next(timeout)
  local feed = check(self, "next")
  if timeout ~= nil and (type(timeout) ~= "number" or timeout ~= timeout) then
    error("bad argument #1 to 'next' (number of seconds expected)", 2)
  end
  return next_result(feed, timeout)
end

local function close(feed)
  feed.is_at_end, feed.is_over, feed.input_failure = true, true, nil
  feed.chunk, feed.position, feed.chunks = NO_CHUNK, 0, {}
  calls.abandon(feed.pool, feed)
end

-- it:close(): the rest is not wanted; what has not begun will not run.
function Iterator:close()
  local feed = self.feed
  if feed.tag and feed.pool.owner == core.identity() then
    calls.whole(close, feed)
  end
end

Iterator.__close = Iterator.close
Iterator.__gc = Iterator.close

-- start(pool, name, f, input, length, options): an iterator. `input`: a list of `length`, or, with
-- nil, what gives the next item at each call.
function imap.start(pool, name, f, input, length, options)
  local chunksize = options.chunksize or 1
  local buffer = options.buffer or 2 * pool.size * chunksize
  local feed = setmetatable({
    pool = pool, name = name, is_ready = false, done = 0, failed = 0, -- tasks
    input = input, length = length, chunksize = math.min(chunksize, buffer), buffer = buffer,
    -- Items that were read and not handed in, by their indices; how many were read ever, and handed
    -- in ever.
    items = length and input or {}, read = length or 0, is_read_up = length ~= nil, handed = 0,
    -- Results: those that came, by chunks; the chunk at hand, the last place in it that was given
    -- out, and how many were given out before it.
    chunks = {}, next_chunk = 1, last_chunk = 0, chunk = NO_CHUNK, position = 0, before = 0,
    is_ordered = name == "imap", yields_errors = options.errors == "yield", total = nil,
    timeout = options.timeout, retries = options.retries,
    progress = options.progress and progress.new(options.progress) or false,
    -- What is looked at for each result is there, if only as false: a field that is not is looked
    -- for in the class, too.
    errors = false, callback = false, error_callback = false, is_at_end = false,
  }, Feed)
  local iterator = setmetatable({ feed = feed }, Iterator) -- first: its end is the call's
  calls.begin(pool, feed, f)
  feed.total = length
  fill(feed, buffer)
  return iterator
end

return imap
