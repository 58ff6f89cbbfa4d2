-- The operations that test/alloc_lua_test.c sweeps. Each has
--
--   name
--   scene         a function, called with process.core (unless `cold`). It returns a function that
--                 is the operation, and perhaps one that verifies: it is called with the error's
--                 text after the operation has failed, and with nothing after it has succeeded
--   cold          process.core is not loaded yet
--   in_child      the allocations of the child that it starts fail, not its own
--   keeps_shared  shared memory does not fail: a small item that is got and does not fit into
--                 memory needs some to go back (mpl_queue_give_back in bind/queue.c)
--   grows         after a failure more or fewer bytes may be in use: an item that goes back is a
--                 message
--   loose         how far it came before a failure is left open: sums are compared in the end

local children = ... -- a function: how many children this process knows of

local operations = {}

local function operation(name, scene, options)
  local op = { name = name, scene = scene }
  for option, value in pairs(options or {}) do op[option] = value end
  operations[#operations + 1] = op
end

local COLD, LOOSE = { cold = true }, { loose = true }

local Class = { __name = "Class" }

-- Whether two values are of one shape; functions by what they return.
local function same(a, b)
  if type(a) ~= type(b) then return false end
  if type(a) == "function" then return rawequal(a, b) or a() == b() end
  if type(a) == "userdata" then return getmetatable(a) == getmetatable(b) end
  if type(a) ~= "table" then return rawequal(a, b) end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  return #a == #b and getmetatable(a) == getmetatable(b)
end

local function locks(core, n)
  local list = {}
  for i = 1, n do list[i] = core.Lock() end
  return list
end

local function nothing() end

-- Runs f in a child, and waits for its end.
local function run_in_child(core, f)
  local child = core.child()
  assert(core.start(child, f, nothing, "child", false))
  child:join()
end

-- Whether tables with this metatable can be sent and received.
local function is_registered(core, metatable)
  local ok, sent = pcall(core.dumps, setmetatable({}, metatable))
  return ok and getmetatable(core.loads(sent)) == metatable
end

--------------------------------------------------------------------------------
-- Queues, and what travels through them

-- Name, value, and whether it is a message of its own: that goes back without shared memory.
local VALUES = {
  { "a number", function() return 1 end },
  { "a float", function() return 2.5 end },
  { "a short string", function() return ("x"):rep(9) end },
  { "a string", function() return ("x"):rep(100) end },
  { "a long string", function() return ("x"):rep(9000) end, true },
  { "an empty table", function() return {} end },
  { "a table", function() return { 1, { 2 }, a = "b", "text" } end },
  { "an object", function() return setmetatable({ x = 1 }, Class) end },
  { "functions with names", function() return { string.format, string } end },
  { "a closure", function() local n = 5 return function() return n, same end end },
  { "a function and its globals", assert(load [[
    function travels(n) return n > 0 and travels(n - 1) or travels_too[1] end
    travels_too = { 5, {}, coroutine.create(print) }
    function travels_alone() return travels(3) end
    return function() return travels_alone(), travels_too end]]) },
  { "a deep table", function()
    local v = {}
    for _ = 1, 40 do v = { v } end
    return v
  end },
  { "a Queue", function(core) return core.Queue() end, true },
  { "shared objects", function(core) return { core.Lock(), { core.Queue(), "text" } } end, true },
  { "many shared objects", function(core) return locks(core, 40) end, true },
  { "a large table", function(core) return { core.Event(), ("y"):rep(3000) } end, true },
}

local function all_values(core)
  local list = {}
  for i, value in ipairs(VALUES) do list[i] = value[2](core) end
  return list
end

for i, value in ipairs(VALUES) do
  local name, make, is_message = table.unpack(value)

  operation("put " .. name, function(core)
    local q, v = core.Queue(), make(core)
    return function() assert(q:put(v)) end,
      function(failure)
        if not failure then assert(same(q:get(0), v)) end
        assert(q:empty())
      end
  end)

  if i > 2 then -- a number needs no memory at the receiver
    operation("get " .. name, function(core)
      local q, v = core.Queue(), nil
      q:put(make(core))
      return function() v = q:get() end,
        function(failure)
          assert(q:qsize() == (failure and 1 or 0))
          assert(failure or same(v, make(core)))
        end
    end, not is_message and { keeps_shared = true, grows = true } or nil)
  end
end

operation("put to a full queue", function(core)
  local q = core.Queue(1)
  q:put(1)
  return function()
      local ok, why = q:put({ core.Lock() }, false)
      assert(not ok and why == "full")
    end,
    function() assert(q:qsize() == 1) end
end)

-- What it has put is in the queue, and the error says how much that is (if it can).
operation("put_many", function(core)
  local q, list = core.Queue(), all_values(core)
  return function() assert(q:put_many(list)) end,
    function(failure)
      local said = failure and failure:match("first (%d+) of " .. #list .. " items")
      local n = tonumber(said) or failure and q:qsize() or #list
      assert(q:qsize() == n)
      for i = 1, n do assert(same(q:get(0), list[i])) end
    end
end, LOOSE)

local function get_many(list_of, options)
  operation("get_many", function(core)
    local q, got = core.Queue(), nil
    q:put_many(list_of(core))
    local n = q:qsize()
    return function() got = q:get_many(100) end,
      function(failure)
        assert((failure ~= nil) == (got == nil) and #(got or {}) + q:qsize() == n)
        if failure then return end
        assert(got.n == #got)
        for i, v in ipairs(q:get_many(100, 0) or {}) do got[got.n + i] = v end
        got.n = nil
        assert(same(got, list_of(core)))
      end
  end, options)
end

get_many(all_values, { keeps_shared = true, grows = true })
get_many(function(core)
  local list = {}
  for i = 1, 12 do list[i] = locks(core, 5) end
  return list
end)

operation("items", function(core)
  local q, n = core.Queue(), 0
  q:put{}
  q:shutdown()
  return function()
      for _ in q:items() do n = n + 1 end
    end,
    function(failure) assert(n + q:qsize() == 1 and (failure or n == 1)) end
end, { keeps_shared = true, grows = true })

--------------------------------------------------------------------------------
-- Opening, making, the codec

operation("open", function()
  return function() assert(require("process.core").Lock():acquire()) end
end, COLD)

operation("Value", function(core)
  local v
  return function() v = core.Value("i", 5, { name = "count" }) end,
    function(e) assert(e and not v or v:add(1) == 6 and v:get_lock():acquire(0)) end
end)

operation("Array", function(core)
  local l, a = core.Lock(), nil
  return function() a = core.Array("h", { 1, 2, 3 }, { lock = l }) end,
    function(e) assert(e and not a or a[3] == 3 and a:get_lock() == l) end
end)

operation("get_lock", function(core)
  local v = core.Value("d", 1.5)
  return function() v:get_lock():acquire() end,
    function()
      assert(v.value == 1.5)
      assert(v:get_lock():acquire(0))
    end
end)

operation("parts of an array", function(core)
  local a = core.Array("c", ("x"):rep(100))
  return function()
    assert(#a:slice() + #a:bytes() + #a.value + #tostring(a) > 300)
    a:assign(1, { "y", "y" })
    a:set_bytes(3, "y")
    assert(a[3] == "y")
  end, function()
    local s = a:bytes(1, 2)
    assert(s == "xx" or s == "yy")
    a:fill("x")
  end
end)

operation("Condition", function(core)
  local l, c = core.Lock(), nil
  return function() c = core.Condition{ lock = l, name = "news" } end,
    function(e) assert(e and not c or c:acquire(0) and l:locked()) end
end)

operation("Manager", function(core)
  local m
  return function() m = core.Manager{ name = "mine" } end,
    function(e) assert(e and not m or tostring(m) == "<Manager objects=0>") end
end)

operation("what a manager makes", function(core)
  core.manager_kind("Value", core.Value)
  local m, v = core.Manager(), nil
  return function() v = m:Value("i", 5) end,
    function(e)
      assert(tostring(m) == ("<Manager objects=%d>"):format(e and 0 or 1))
      assert(e and not v or v:get_lock():acquire(0))
    end
end)

operation("shutdown of a manager", function(core)
  core.manager_kind("Lock", core.Lock)
  local m = core.Manager()
  local l = m:Lock()
  return function() m:shutdown() end,
    function(e) assert(e or not pcall(l.acquire, l) and tostring(m):find "shut down") end
end)

operation("wait for a condition", function(core)
  local c = core.Condition()
  c:acquire()
  return function() assert(c:wait(0) == false) end,
    function() assert(c:locked() and c:wait(0) == false) end
end)

operation("Barrier", function(core)
  local l, b = core.Lock(), nil
  return function() b = core.Barrier(1, function() return l end) end,
    function(e) assert(e and not b or b:wait() == 1) end
end)

operation("wait at a barrier", function(core)
  local n = 0
  local b = core.Barrier(1, function() n = n + 1 end)
  return function() assert(b:wait() == 1) end,
    function()
      b:reset()
      assert(b:wait() == 1)
    end
end)

-- A ledger with a chunk of three tasks that is put, or done, too.
local function tasks(core, done)
  local t = core.Tasks(1)
  local job = t:job(function(x) return { x } end)
  t:put(job, 7, "map", { 1, "x", { 3 } }, 1, 3)
  if done then assert(t:serve(1, 3, function(value) return value end) == "max") end
  return t, job
end

operation("Tasks", function(core)
  local t
  return function() t = core.Tasks(3) end,
    function(e) assert(e and not t or t:queued() == 0) end
end)

operation("put tasks", function(core)
  local t = tasks(core)
  local l = core.Lock()
  return function()
    local job = t:job(function() return nothing end)
    assert(t:put(job, 8, "star", { { 1 }, { "x", l } }, 1, 2) == 2)
  end, function(e) assert(t:queued() == (e and 1 or 2)) end
end, LOOSE)

operation("collect", function(core)
  local t = tasks(core, true)
  return function()
    local _, got = t:collect(table.pack, t)
    local _, tag, first, values, errors = table.unpack(got, 1, got.n)
    assert(tag == 7 and first == 1 and values.n == 3 and values[3][1][1] == 3 and not errors)
  end, function(e) assert(select(3, t:queued()) == (e and 1 or 0)) end
end)

-- What cannot be had is a task's error; all tasks have an end.
operation("serve", function(core)
  local t, job = tasks(core, true)
  local function capture(value) return value end
  local function work()
    t:lost(1, 0)
    return t:serve(1, 3, capture)
  end
  return function()
    while t:collect(nothing, t, 1, 0) do end
    t:put(job, 8, "map", { 1, "x", { 3 } }, 1, 3)
    assert(work() == "max")
    local _, got = t:collect(table.pack, t, 1, 0)
    local values, errors = got[4], got[5]
    for i = 1, 3 do assert(values[i] and values[i][1] or errors[i]) end
    if errors then error("not enough memory: " .. tostring(select(2, next(errors)))) end
  end, function()
    while t:queued() > 0 do work() end
    while t:collect(nothing, t, 1, 0) do end
  end
end, LOOSE)

operation("Semaphore", function(core)
  local s
  return function() s = core.BoundedSemaphore{ value = 2, name = "seats" } end,
    function(e) assert(e and not s or s:acquire(0) and s:get_value() == 1) end
end)

--------------------------------------------------------------------------------
-- Lists

operation("list", function(core)
  local l, values = nil, all_values(core)
  return function() l = core.list(values) end,
    function(failure) assert(failure or #l == #VALUES and same(l[#l], values[#l])) end
end)

for _, value in ipairs{ VALUES[1], VALUES[4], VALUES[7], VALUES[13] } do
  local name, make = table.unpack(value)

  operation("append " .. name, function(core)
    local l, v = core.list(), make(core)
    return function() l:append(v) end,
      function(failure) assert(#l == (failure and 0 or 1) and (failure or same(l[1], v))) end
  end)

  operation("set and insert " .. name, function(core)
    local l, v = core.list{ 1, 2 }, make(core)
    return function()
        l[1] = v
        l:insert(2, v)
      end,
      function(failure) assert(failure and #l == 2 or #l == 3 and same(l[1], l[2])) end
  end, LOOSE)

  operation("get and pop " .. name, function(core)
    local l, got, popped = core.list{ make(core), 2 }, nil, nil
    return function()
        got = l[1]
        popped = l:pop(1)
      end,
      function(failure)
        assert(#l == (failure and 2 or 1) and l[#l] == 2)
        assert(failure or same(got, make(core)) and same(popped, got))
      end
  end)
end

operation("extend and clear a list", function(core)
  local l, more = core.list{ 1, 2 }, all_values(core)
  return function()
      l:extend(more)
      l:clear()
    end,
    function(failure)
      local n = #l
      assert(failure and (n == 2 or n == 2 + #more) or n == 0)
    end
end, LOOSE)

operation("read a list", function(core)
  local l, n = core.list(all_values(core)), 0
  return function()
      n = #l:slice()
      for i, v in pairs(l) do n = n + (v ~= nil and i > 0 and 1 or 0) end
    end,
    function(failure) assert(failure or n == 2 * #l) end
end)

operation("methods of a list", function()
  local process = require "process"
  local text, l = ("x"):rep(100), nil
  return function()
      l = process.list{ "b", "c", "a", text }
      l:sort()
      l:reverse()
      assert(l:index("b") == 3 and l:count("b") == 1 and tostring(l):find "^list{")
      l:modify(3, function(v) return v .. v end)
      l:remove("bb")
      assert(table.concat(l:slice(2), " ") == "c a")
    end,
    function()
      if not l then return end
      l:append("last") -- nobody holds the gate any more
      assert(l:pop() == "last")
      l = nil
    end
end)

operation("wait for many", function(core)
  local e, q = core.Event(), core.Queue()
  q:put(1)
  return function() assert(#core.wait({ e, q }, 1) == 1) end,
    function() assert(#core.wait({ q, e, q }, 0) == 2) end
end)

for _, class in ipairs{ "Lock", "Event", "Queue" } do
  operation(class, function(core)
    local object
    return function() object = core[class]() end,
      function(failure) assert((failure == nil) == (object ~= nil)) end
  end)
end

operation("dumps", function(core)
  local v, s = all_values(core), nil
  return function() s = core.dumps(v) end,
    function(failure) assert(failure and not s or same(core.loads(s), v)) end
end)

operation("dumps of what an environment finds", function(core)
  local env, s = {}, nil
  setmetatable(env, { __index = function(_, name)
    if name == "text" then return ("text"):rep(10) end
    if name == "list" then return { name } end
    if name == "f" then return load("return list", "=f", "t", env) end
  end })
  local f = load("return { text, list, f() }", "=sender", "t", env)
  return function() s = core.dumps(f) end,
    function(failure) assert(failure and not s or #s > 100) end
end)

operation("loads", function(core)
  local v, r = all_values(core), nil
  local s = core.dumps(v)
  return function() r = core.loads(s) end,
    function(failure) assert(failure and not r or same(r, v)) end
end)

-- Modules that are loaded later are known by their names all the same.
operation("the first dumps", function()
  local core = require "process.core"
  return function() core.dumps{ string } end,
    function(failure)
      local module = { 1 }
      package.loaded[failure and "early" or "late"] = module
      assert(core.loads(core.dumps{ module })[1] == module)
    end
end, COLD)

operation("register", function(core)
  local mt = {}
  return function() core.register("New", mt) end,
    function(failure)
      assert(is_registered(core, Class) and is_registered(core, mt) == (failure == nil))
    end
end)

-- With Class, the table of names is exactly full.
operation("register again", function(core)
  local old, new, done = {}, {}, 0
  for i = 1, 7 do
    old[i], new[i] = {}, {}
    core.register("C" .. i, old[i])
  end
  return function()
      for i = 1, 7 do
        core.register("C" .. i, new[i])
        done = i
      end
    end,
    function()
      for i = 1, 7 do
        assert(is_registered(core, old[i]) == (i > done))
        assert(is_registered(core, new[i]) == (i <= done))
      end
    end
end)

--------------------------------------------------------------------------------
-- Locks and events

operation("acquire", function(core)
  local lock = core.Lock()
  return function() assert(lock:acquire()) end,
    function(failure) assert(lock:locked() == (failure == nil)) end
end)

operation("acquire an abandoned lock", function(core)
  local lock, ok, why = core.Lock(), nil, nil
  run_in_child(core, function() lock:acquire() end)
  return function() ok, why = lock:acquire() end,
    function(failure)
      assert(lock:abandoned() and (failure or ok and why == "abandoned"))
    end
end)

operation("acquire a lock that is held", function(core)
  local lock = core.Lock()
  lock:acquire()
  return function()
      local ok, why = lock:acquire(false)
      assert(ok == false and why == "timeout")
    end,
    function() assert(lock:locked()) end
end)

operation("hold", function(core)
  local lock = core.Lock()
  return function()
      local held <close> = lock:hold()
      assert(lock:locked())
    end,
    function() assert(not lock:locked()) end
end)

operation("with", function(core)
  local lock, results = core.Lock(), nil
  return function()
      results = table.pack(lock:with(function(...) return ..., {} end, 1, 2))
    end,
    function(failure) assert(not lock:locked() and (failure or results[1] == 1)) end
end)

operation("wait for an event", function(core)
  local event = core.Event()
  return function()
    event:clear()
    assert(select(2, event:wait(0)) == "timeout")
    event:set()
    assert(event:wait())
  end
end)

operation("tostring", function(core)
  local lock, queue, event = core.Lock(), core.Queue(), core.Event()
  lock:acquire()
  return function() return tostring(lock) .. tostring(queue) .. tostring(event) end
end)

--------------------------------------------------------------------------------
-- Processes, from below

operation("start", function(core)
  local q, child = core.Queue(), nil
  local function body(a, b) q:put(a + #b) end
  return function()
      child = core.child()
      local ok, why = core.start(child, body, nothing, "name", false, 1, { 2 })
      if not ok then error(why) end
    end,
    function(failure)
      if not failure then
        assert(child:join() and child:exitcode() == 0 and q:get(0) == 2)
      end
      assert(children() == 0 and q:empty())
    end
end)

operation("join", function(core)
  local child = core.child()
  assert(core.start(child, function() return 3 end, nothing, "name", false))
  return function()
    assert(child:join() and child:exitcode() == 3 and child:sentinel() and child:pid())
  end
end, LOOSE)

operation("fork", function(core)
  local me = core.getpid()
  return function()
      local pid, why = core.fork()
      if pid == 0 then core.exit_child(0) end
      if not pid then error(why) end
      while children() > 0 do core.reap() end
    end,
    function() assert(core.getpid() == me) end
end)

operation("at_exit", function(core)
  return function() core.at_exit(function() end) end
end)

operation("questions", function(core)
  return function()
    assert(core.stats().arena.used > 0 and #core.random(8) == 8)
    assert(core.name() == "MainProcess" and core.member(core.identity()) == "MainProcess")
    assert(#core.parameters(function(a, b) return a, b end) == 2)
    core.rename "MainProcess"
  end
end)

operation("coroutines", function(core)
  local q = core.Queue()
  return function()
      local wrapped = coroutine.wrap(function(...)
        for _ = 1, 2 do
          q:put{ ... }
          coroutine.yield{}
        end
      end)
      wrapped(1)
      wrapped()
      assert(coroutine.resume(coroutine.create(function() return q:get(), q:get() end)))
    end,
    function()
      while q:get(0) do end
    end
end, LOOSE)

-- The child ends as one that has succeeded or failed, and leaves nothing that hinders others.
local function in_child(name, body)
  operation(name, function(core)
    local q, lock, child = core.Queue(), core.Lock(), nil
    return function()
        child = core.child()
        assert(core.start(child, body, function() collectgarbage() end, "name", false, q, lock))
        child:join()
      end,
      function()
        local code = child:exitcode()
        assert(code == 0 or code == 1, code)
        assert(q:qsize() <= 1 and lock:acquire(0))
        lock:release()
      end
  end, { in_child = true })
end

in_child("a child", function() return 0 end)
in_child("a child that holds a lock", function(q, lock)
  lock:with(function() q:put{ 7, lock } end)
end)
in_child("a child with an error", function() error("no memory") end)

--------------------------------------------------------------------------------
-- lua/process

operation("require", function()
  return function() require "process" end,
    function(failure)
      if failure then return end
      local process = require "process"
      assert(coroutine.wrap(function() return process.Queue():put(1) end)())
    end
end, COLD)

operation("Process", function()
  local process, p = require "process", nil
  return function()
      p = process.Process{ target = print, args = { 1, n = 1 }, name = "p" }
    end,
    function(failure) assert(children() == 0 and (failure or p.name == "p")) end
end)

operation("Process with a function", function()
  local process = require "process"
  return function() return process.Process(print, 1, 2, 3) end
end)

operation("extend", function()
  local process = require "process"
  local out, C = process.Queue(), nil
  return function() C = process.Process:extend "C" end,
    function(failure)
      if failure then return end
      out:put(C())
      assert(tostring(out:get(0)):find "<C")
    end
end)

operation("p:start", function()
  local process = require "process"
  local lock, out = process.Lock(), process.Queue()
  local function target(a)
    lock:with(function() out:put{ a } end)
  end
  local p = process.Process{ target = target, args = { 5 }, kwargs = {} }
  return function() p:start() end,
    function(failure)
      if failure then
        assert(children() == 0 and not p:is_alive() and not p.pid)
        assert(tostring(p):find "initial")
      else
        assert(p:join() and p.exitcode == 0 and out:get(0)[1] == 5)
      end
      assert(#process.active_children() == 0)
    end
end)

-- One of the others has ended, and is noticed by the way.
operation("p:start among others", function()
  local process = require "process"
  local go, others = process.Event(), {}
  for i = 1, 3 do
    others[i] = process.Process(function()
      if i ~= 2 then go:wait() end
    end):start()
  end
  local p = process.Process(go.wait, go)
  return function() p:start() end,
    function(failure)
      local active = {}
      for _, other in ipairs(process.active_children()) do active[other] = true end
      assert(active[others[1]] and active[others[3]] and (active[p] == nil) == (failure ~= nil))
      if failure then return end
      go:set()
      p:join()
      for _, other in ipairs(others) do other:join() end
      assert(#process.active_children() == 0)
    end
end, LOOSE)

operation("p:join", function()
  local process = require "process"
  local p = process.Process(nothing):start()
  return function()
    p:join()
    assert(p.exitcode == 0 and p.sentinel and not p:is_alive())
  end
end, LOOSE)

operation("p:close", function()
  local process = require "process"
  local p = process.Process(nothing):start()
  p:join()
  return function() p:close() end,
    function(failure) assert(failure or tostring(p):find "closed") end
end)

operation("atexit", function()
  local process, calls = require "process", 0
  return function()
      process.atexit(function() calls = calls + 1 end)
    end,
    function(failure)
      if not failure then return end
      require("process.exit").finish()
      assert(calls == 0)
    end
end)

operation("who is who", function()
  local process = require "process"
  return function()
    local me = process.current_process()
    assert(me.name == "MainProcess" and not process.parent_process())
    assert(#process.active_children() == 0 and tostring(me))
  end
end)

--------------------------------------------------------------------------------
-- Dicts and what is seen as one

-- A dict of so many numbers.
local function numbers(core, n)
  local d = core.dict.new()
  for i = 1, n do d[i] = i end
  return d
end

local function count(core, d)
  local n = 0
  for _ in core.dict.pairs(d) do n = n + 1 end
  return n
end

for _, name in ipairs{ "new", "new_set", "new_namespace" } do
  operation("dict: " .. name, function(core)
    local d
    return function() d = core.dict[name]{ name = "one" } end,
      function(failure) assert(failure and not d or count(core, d) == 0) end
  end)
end

-- One of each kind that a dict stores in its own way; the codec is swept above.
for _, i in ipairs{ 3, 5, 7, 13 } do
  local name, make, is_message = table.unpack(VALUES[i])

  operation("dict: set " .. name, function(core)
    local d, v = numbers(core, 1), make(core)
    d.old = "old"
    return function()
        d.old = v
        d[("long key"):rep(20)] = v
      end,
      function(failure)
        local old = d.old
        assert(same(old, v) or failure and old == "old")
        assert(count(core, d) == 3 or failure and count(core, d) == 2)
      end
  end, LOOSE)

  operation("dict: get " .. name, function(core)
    local d, v = core.dict.new(), nil
    d.k = make(core)
    return function() v = d.k end,
      function(failure) assert(failure and not v or same(v, make(core)) and same(v, d.k)) end
  end)

  operation("dict: pop " .. name, function(core)
    local d, v = core.dict.new(), nil
    d.k = make(core)
    return function() v = core.dict.pop(d, "k") end,
      function(failure) assert(same(v or d.k, make(core)) and #d == (failure and 1 or 0)) end
  end, { keeps_shared = true, grows = not is_message })
end

operation("dict: the seventeenth key", function(core)
  local d = numbers(core, 16)
  return function() for i = 17, 40 do d[i] = i end end,
    function()
      for i = 1, #d do assert(d[i] == i) end
    end
end, LOOSE)

operation("dict: popitem", function(core)
  local d, key, v = core.dict.new(), ("key"):rep(50), nil
  d[key] = { 1 }
  return function() key, v = core.dict.popitem(d) end,
    function(failure)
      assert(#key == 150 and #d == (failure and 1 or 0) and (v or d[key])[1] == 1)
    end
end, { keeps_shared = true, grows = true })

operation("dict: all of it", function(core)
  local copy = require("process").dict.copy
  require "process.nested"
  local d = numbers(core, 20)
  d.t, d.text = { 1, core.Lock() }, ("x"):rep(1000)
  return function()
      assert(#core.dict.list(d, "items") == 22 and core.dict.list(d, "copy").t[1] == 1)
      assert(#tostring(copy(d, { deep = true }).text) == 1000)
    end,
    function() assert(count(core, d) == 22) end
end)

operation("dict: compare_and_set", function(core)
  local d, lock = numbers(core, 1), core.Lock()
  d.lock = lock
  local new = { lock, ("x"):rep(200) }
  return function() assert(core.dict.compare_and_set(d, "lock", lock, new)) end,
    function(failure) assert(failure and d.lock == lock or d.lock[1] == lock) end
end)

operation("dict: incr, clear, wait_change", function(core)
  local d = numbers(core, 20)
  return function()
      core.dict.incr(d, "new")
      core.dict.wait_change(d, nil, 0)
      core.dict.clear(d)
    end,
    function(failure) assert(#d == 20 or failure and #d == 21 or not failure and #d == 0) end
end, LOOSE)

operation("dict: atomic", function(core)
  local process = require "process"
  local d = numbers(core, 14)
  d.t = { 1 }
  return function()
      process.dict.atomic(d, function()
        for i = 1, 20 do d[i] = { i } end
        d.t = nil
      end)
    end,
    function(failure)
      assert(#d == (failure and 15 or 20))
      assert(failure and d[14] == 14 and d.t[1] == 1 or d[20][1] == 20)
    end
end)

operation("set: union, update", function()
  local process = require "process"
  local s = process.set{ 1, 2, 3 }
  return function()
      assert(#s:union({ 3, 4 }) == 4 and tostring(s) == "set{1, 2, 3}")
      s:update({ 4, 5 })
    end,
    function(failure) assert(#s == (failure and 3 or 5)) end
end)

-- The scene of the i-th operation, set.
local function set(i)
  local op = operations[i]
  package.path = "lua/?.lua;lua/?/init.lua"
  if op.cold then return op.scene() end
  local core = require "process.core"
  core.register("Class", Class)
  return op.scene(core)
end

return operations, set
