-- Manager: a lifetime for what it makes.

local support = require "spec.support"

-- Of each kind, how it is made: every kind that a manager makes.
local MAKE = [[
  local KINDS = {
    Value = { "i", 5 }, Array = { "i", { 1, 2, 3 } },
    Queue = { 2 }, JoinableQueue = {},
    Lock = {}, RLock = {}, Semaphore = { 2 }, BoundedSemaphore = { 2 },
    Condition = {}, Event = {}, Barrier = { 3 },
    dict = { { a = 1 } }, list = { { 1, 2 } }, set = { { 1, 2 } }, Namespace = { { a = 1 } },
  }

  local function make_all(m)
    local all, n = {}, 0
    for kind, arguments in pairs(KINDS) do
      all[kind], n = m[kind](m, table.unpack(arguments)), n + 1
    end
    return all, n
  end

  local function refuses(f, ...)
    local ok, message = pcall(f, ...)
    return not ok and message:find("manager is shut down", 1, true) ~= nil
  end

  -- The methods that do not refuse, of all methods of all objects, with whichever arguments they
  -- take.
  local function permitted(all)
    local list, ARGUMENTS = {}, { {}, { 1 }, { print }, { 1, print }, { { 1 } } }
    for kind, object in pairs(all) do
      local methods = package.loaded["process." .. kind]
        or package.loaded["process." .. getmetatable(object).__name]
      for name, method in pairs(methods) do
        local refused = false
        for _, arguments in ipairs(ARGUMENTS) do
          refused = refused or refuses(method, object, table.unpack(arguments))
        end
        if not refused then list[#list + 1] = kind .. ":" .. name end
      end
    end
    table.sort(list)
    return #list, table.concat(list, " ")
  end
]]

describe("a manager", function()
  local out = support.fixture(MAKE .. [[
    local m = process.Manager()
    report("new", m)
    local all, n = make_all(m)
    report("counts", tostring(m) == "<Manager objects=" .. n .. ">")
    local alike = true
    for kind, object in pairs(all) do
      local own = process[kind](table.unpack(KINDS[kind]))
      alike = alike and getmetatable(own) == getmetatable(object)
    end
    report("alike", alike, all.Value.value, all.Array[3], all.Semaphore:get_value())
    report("start", m:start() == m, m:Lock() ~= m:Lock())

    report("bad argument", try(function() m:Value("z") end))
    report("bad option", try(function() m:Lock{ size = 1 } end))
    report("own options", try(process.Manager, { size = 1 }), process.Manager{ name = "N" })
    report("unknown", m.Pipe)
    report("count after errors", (tostring(m):gsub(n + 2, "ALL")))

    -- It alone refers to what it has made.
    local before = process.stats().objects.Lock
    for _ = 1, 100 do m:Lock() end
    collectgarbage()
    collectgarbage()
    report("keeps", process.stats().objects.Lock - before >= 90)

    local lock = process.Lock()
    local c, v = m:Condition(lock), m:Value("i", 0, { lock = lock })
    m:shutdown()
    report("given locks", try(c.acquire, c), try(function() v:add(1) end), lock:acquire())
    report("dropped", process.stats().objects.Lock < before + 10)
    report("again", select("#", m:shutdown()), m)
  ]])

  it("says how many objects it keeps", function()
    assert.equal("<Manager objects=0>", out.new)
    assert.equal("true", out.counts)
  end)
  it("makes objects as the module does", function()
    assert.equal("true 5 3 2", out.alike)
    support.mentions(out["bad argument"], "bad type 'z'", ":%d+: |:")
    support.mentions(out["bad option"], "unknown option 'size'")
    assert.equal("<Manager objects=ALL>", out["count after errors"])
    assert.equal("nil", out.unknown)
  end)
  it("need not be started", function() assert.equal("true true", out.start) end)
  it("takes a name", function()
    support.mentions(out["own options"], "unknown option 'size'", "<Manager objects=0>")
  end)
  it("keeps what it has made until its shutdown", function()
    assert.equal("true", out.keeps)
    assert.equal("true", out.dropped)
  end)
  it("leaves a lock that it was given alone", function()
    support.mentions(out["given locks"], "Condition: manager is shut down",
      "add: manager is shut down")
    assert.truthy(out["given locks"]:find "true$")
  end)
  it("may be shut down again", function()
    assert.equal("0 <Manager: manager is shut down>", out.again)
  end)
end)

describe("after the shutdown of its manager", function()
  local out = support.fixture(MAKE .. [[
    local m = process.Manager()
    local all = make_all(m)
    local locks = { all.Value:get_lock(), all.Array:get_lock() }
    m:shutdown()

    report("methods", permitted(all))
    local v, a, b = all.Value, all.Array, all.Barrier
    report("fields", refuses(function() return v.value end),
      refuses(function() v.value = 1 end), refuses(function() return a[1] end),
      refuses(function() a[1] = 1 end), refuses(function() return #a end),
      refuses(function() return b.parties end))
    report("hidden locks", refuses(locks[1].acquire, locks[1]),
      refuses(locks[2].release, locks[2]))
    report("process.wait", refuses(process.wait, { all.Event }),
      refuses(process.wait, { all.Queue }, 0))
    report("constructor", try(function() m:Lock() end), try(function() m:Queue() end))
    report("message", (try(function() all.Lock:acquire() end):gsub("^.-:%d+: ", "")))
    report("shown", all.Lock, all.Queue, m)
    report("others", process.Lock():acquire(), process.Manager():Lock():acquire())
    local q = process.Queue()
    q:put(all.Event)
    report("sent", refuses(function() q:get():set() end))
  ]])

  it("every method of its objects refuses", function() assert.equal("0 ", out.methods) end)
  it("fields and elements do, too", function()
    assert.equal("true true true true true true", out.fields)
  end)
  it("the locks of its values do, too", function()
    assert.equal("true true", out["hidden locks"])
  end)
  it("process.wait does, too", function() assert.equal("true true", out["process.wait"]) end)
  it("it makes nothing any more", function()
    support.mentions(out.constructor, "Lock: manager is shut down", "Queue: manager is shut down")
  end)
  it("the error names the method", function()
    assert.equal("acquire: manager is shut down", out.message)
  end)
  it("its objects can be shown", function()
    assert.equal("<Lock: manager is shut down> <Queue: manager is shut down> "
      .. "<Manager: manager is shut down>", out.shown)
  end)
  it("other objects work", function() assert.equal("true true", out.others) end)
  it("what is sent refuses where it arrives", function() assert.equal("true", out.sent) end)
end)

describe("a manager in other processes", function()
  local out = support.fixture(MAKE .. [[
    local m, answers = process.Manager(), process.Queue()
    local function child(f, ...)
      process.Process(f, ...):start():join()
    end

    child(function() answers:put(m:Event()) end)
    local e = answers:get()
    e:set()
    report("made in a child", e:is_set(), m)
    child(function(manager) answers:put(manager:Value("i", 7)) end, m)
    report("as an argument", answers:get().value, m)
    local carrier = process.Queue()
    carrier:put(m)
    report("through a queue", carrier:get() == m)

    local all = make_all(m)
    child(function() m:shutdown() end)
    report("shut down by a child", refuses(e.is_set, e), refuses(m.Lock, m), m)
    child(function() report("in a later child", permitted(all)) end)
  ]])

  it("makes objects of the same lifetime", function()
    assert.equal("true <Manager objects=1>", out["made in a child"])
    assert.equal("7 <Manager objects=2>", out["as an argument"])
    assert.equal("true", out["through a queue"])
  end)
  it("ends for all when one shuts it down", function()
    assert.equal("true true <Manager: manager is shut down>", out["shut down by a child"])
    assert.equal("0 ", out["in a later child"])
  end)
end)

-- What sleepers find, in a program where they sleep one after another.
local SLEEPERS = [[
  local m, answers = process.Manager(), process.Queue()
  local lock, rlock, empty, full = m:Lock(), m:RLock(), m:Queue(), m:Queue(1)
  local semaphore, condition, event = m:Semaphore(0), m:Condition(), m:Event()
  local barrier, joinable, value = m:Barrier(2), m:JoinableQueue(), m:Value("i", 0)
  local foreign = process.Lock()
  local on_foreign = m:Condition(foreign)
  lock:acquire()
  rlock:acquire()
  full:put(1)
  joinable:put(1)
  value:get_lock():acquire()
  local sleeps = {
    acquire = function() lock:acquire() end,
    recursive = function() rlock:acquire() end,
    hold = function() lock:hold(60) end,
    get = function() empty:get() end,
    get_many = function() empty:get_many(3) end,
    items = function() for _ in empty:items() do end end,
    put = function() full:put(2, true, 60) end,
    put_many = function() full:put_many{ 1, 2 } end,
    semaphore = function() semaphore:acquire() end,
    condition = function()
      condition:acquire()
      condition:wait()
    end,
    ["foreign lock"] = function()
      foreign:acquire()
      local ok, message = pcall(on_foreign.wait, on_foreign, 60)
      foreign:release() -- it is held again
      error(ok or message, 0)
    end,
    event = function() event:wait() end,
    barrier = function() barrier:wait() end,
    join = function() joinable:join() end,
    hidden = function() value:get_lock():acquire() end,
    ["process.wait"] = function() process.wait({ process.Event(), event }, 60) end,
    ["wait for a queue"] = function() process.wait{ empty } end,
    ["wait with a descriptor"] = function() process.wait({ empty, (process.Pipe()) }, 60) end,
  }
  local names, children = {}, {}
  for name in pairs(sleeps) do names[#names + 1] = name end
  for i, name in ipairs(names) do
    children[i] = process.Process(function()
      answers:put{ name, pcall(sleeps[name]) }
    end):start()
  end
  for _, p in ipairs(children) do fx.asleep(p.pid) end
  local took = fx.timed(function()
    m:shutdown()
    for _ = 1, #names do
      local name, ok, message = table.unpack(answers:get(), 1, 3)
      if ok or not message:find("manager is shut down", 1, true) then
        report("failed", name, ok, message)
      end
    end
  end)
  for _, p in ipairs(children) do p:join() end
  report("all", #names, took < 0.5 and "at once" or took)
]]

for _, env in ipairs{ {}, { MPL_NO_WAITV = "1" } } do
  describe("sleepers" .. (env.MPL_NO_WAITV and " without futex_waitv" or ""), function()
    local out = support.fixture(SLEEPERS, { env = env })
    it("wake up and raise when the manager is shut down", function()
      assert.equal("18 at once", out.all)
      assert.falsy(out().stdout:find("failed", 1, true))
    end)
  end)
end

describe("the scope of a manager", function()
  local out = support.fixture(MAKE .. [[
    local kept
    do
      local m <close> = process.Manager()
      kept = m:Value("i", 1)
      report("inside", kept.value)
    end
    report("behind", refuses(function() return kept.value end))
    report("error", pcall(function()
      local m <close> = process.Manager()
      kept = m:Event()
      error("mine", 0)
    end))
    report("behind an error", refuses(kept.set, kept))
    do
      local m <close> = process.Manager()
      local e = m:Event()
      do
        local same <close> = m
      end
      report("closed early", refuses(e.set, e))
    end

    -- A fork copies the scope; its end in the copy is not the end.
    local done = process.Event()
    local function scope()
      local m <close> = process.Manager()
      local value = m:Value("i", 1)
      if process.fork() == 0 then return end
      done:wait()
      report("forked", value.value)
    end
    local me = process.getpid()
    scope()
    if process.getpid() ~= me then
      done:set()
      os.exit(0)
    end
  ]])

  it("ends with its block", function()
    assert.equal("1", out.inside)
    assert.equal("true", out.behind)
    assert.equal("true", out["closed early"])
  end)
  it("ends with an error", function()
    assert.equal("false mine", out.error)
    assert.equal("true", out["behind an error"])
  end)
  it("does not end with a copy that a fork has made", function()
    assert.equal("1", out.forked)
  end)
end)

describe("a manager that is collected", function()
  local out = support.fixture [[
    local function count() return process.stats().objects.Lock or 0 end
    local function collect()
      collectgarbage()
      collectgarbage()
    end
    local value = process.Manager():Value("i", 3)
    local before = count()
    do
      local m = process.Manager()
      for _ = 1, 50 do m:Lock() end
      collect()
      report("kept", count() - before)
      m = nil
    end
    collect()
    report("dropped", count() - before)
    report("in use", value:add(1), value:get_lock():acquire())
  ]]

  it("drops what it keeps", function()
    assert.equal("50", out.kept)
    assert.equal("0", out.dropped)
  end)
  it("does not end what is in use", function() assert.equal("4 true", out["in use"]) end)
end)

-- Conformance: the types of Python's SyncManager, used from a child.
describe("a manager's", function()
  local out = support.fixture [[
    local m <close> = process.Manager()
    local function child(f, ...)
      process.Process(f, ...):start():join()
    end

    local event = m:Event()
    event:set()
    child(function(e)
      report("event in the child", e:is_set(), e:wait())
      e:clear()
      report("event cleared", e:wait(0.001))
    end, event)
    report("event", event:is_set())

    local rlock = m:RLock()
    child(function(l)
      report("rlock", l:acquire(), l:acquire(), l:locked())
      l:release()
      report("rlock held", l:locked())
      l:release()
      report("rlock free", l:locked())
    end, rlock)

    local semaphore = m:Semaphore()
    child(function(s) report("semaphore", s:acquire(), s:get_value()) end, semaphore)
    semaphore:release()
    report("semaphore released", semaphore:get_value())
    local bounded = m:BoundedSemaphore()
    child(function(s) s:acquire() end, bounded)
    bounded:release()
    report("bounded", bounded:get_value(), pcall(bounded.release, bounded))

    local condition = m:Condition()
    child(function(c) report("condition", c:acquire(), c:release()) end, condition)

    local barrier = m:Barrier(5)
    child(function(b) report("barrier", b.parties, b:reset()) end, barrier)

    for _, kind in ipairs{ "Queue", "JoinableQueue" } do
      local queue = m[kind](m, 2)
      queue:put(5)
      queue:put(6)
      child(function(q)
        report(kind, q:qsize(), q:full(), q:get(), q:get(), q:empty(), q:get(0))
        if kind == "JoinableQueue" then
          q:task_done()
          q:task_done()
          q:join()
        end
      end, queue)
      report(kind .. " then", queue:empty(), queue:full())
    end

    local value = m:Value("i", 1)
    child(function(v) v.value = v.value + 1 end, value)
    report("value", value.value)

    local array = m:Array("i", { 0, 1, 2, 3, 4 })
    child(function(a) report("array", a[2], #a, table.concat(a:slice(), " ")) end, array)
  ]]

  it("Event is shared [M19]", function()
    assert.equal("true true", out["event in the child"])
    assert.equal("false timeout", out["event cleared"])
    assert.equal("false", out.event)
  end)
  it("RLock is shared [M21]", function()
    assert.equal("true true true", out.rlock)
    assert.equal("true", out["rlock held"])
    assert.equal("false", out["rlock free"])
  end)
  it("Semaphore and BoundedSemaphore are shared [M22]", function()
    assert.equal("true 0", out.semaphore)
    assert.equal("1", out["semaphore released"])
    support.mentions(out.bounded, "1 false", "release")
  end)
  it("Condition is shared [M24]", function() assert.equal("true", out.condition) end)
  it("Barrier is shared [M25]", function() assert.equal("5", out.barrier) end)
  it("Queue is shared [M27]", function()
    assert.equal("2 true 5 6 true nil empty", out.Queue)
    assert.equal("true false", out["Queue then"])
  end)
  it("JoinableQueue is shared [M28]", function()
    assert.equal("2 true 5 6 true nil empty", out.JoinableQueue)
    assert.equal("true false", out["JoinableQueue then"])
  end)
  it("Value is shared [M31]", function() assert.equal("2", out.value) end)
  it("Array is shared [M32]", function() assert.equal("1 5 0 1 2 3 4", out.array) end)
end)

describe("a manager's", function()
  local out = support.fixture [[
    local m <close> = process.Manager()
    local function child(f, ...)
      process.Process(f, ...):start():join()
    end
    local function pair(key, value) return tostring(key) .. "=" .. tostring(value) end

    local d = m:dict{ foo = 5 }
    d.bar = 6
    child(function(dict)
      local ops = process.dict
      local entries = {}
      for i, entry in ipairs(ops.items(dict)) do entries[i] = pair(entry[1], entry[2]) end
      report("dict", #dict, dict.foo, ops.get(dict, "baz", 7), table.concat(entries, " "),
        table.concat(ops.keys(dict), " "), table.concat(ops.values(dict), " "))
      local copy = ops.copy(dict)
      copy.foo = 0
      report("copy", dict.foo, (dict | { foo = 9 }).foo)
      report("popitem", ops.popitem(dict))
      report("setdefault", ops.setdefault(dict, "bar", 8), ops.pop(dict, "bar"), dict.bar)
      ops.update(dict, { x = 1, y = 2 })
      report("update", #dict, dict.x + dict.y)
      ops.clear(dict)
    end, d)
    report("dict then", #d)

    local l = m:list{ 1, 2 }
    child(function(list) list:append(#list + 1) end, l)
    report("list", #l, l[3])

    local s = m:set{ "a" }
    child(function(set) report("set", set:add "b", set:contains "a") end, s)
    report("set then", #s)

    local n = m:Namespace{ name = "Bob" }
    n.job = "builder"
    n._hidden = "x"
    child(function(ns)
      report("namespace", ns.name, ns.job, ns._hidden, ns)
      ns.job = nil
    end, n)
    report("namespace then", n.job)

    local outer = m:dict()
    outer.queue = m:Queue()
    outer.inner = m:dict{ n = 1 }
    child(function(dict)
      dict.queue:put "nested"
      dict.inner.n = 2
    end, outer)
    report("nested", outer.queue:get(), outer.inner.n)

    local refused = {}
    local sleeper = process.Process(function()
      report("sleeper", try(process.dict.wait_change, d))
    end):start()
    fx.asleep(sleeper.pid)
    m:shutdown()
    sleeper:join()
    for _, f in ipairs {
      function() return d.foo end, function() d.foo = 1 end, function() return #d end,
      function() return pairs(d) end, function() return l[1] end, function() l[1] = 1 end,
      function() return #l end, function() return n.name end, function() n.name = 1 end,
      function() return s | { "c" } end, function() return #s end,
    } do
      refused[#refused + 1] = try(f):find("manager is shut down", 1, true) and "yes" or "no"
    end
    report("refused", table.concat(refused, " "))
    report("shown", d, l, s, n)
  ]]

  it("dict is shared [M30]", function()
    assert.equal("2 5 7 foo=5 bar=6 foo bar 5 6", out.dict)
    assert.equal("5 9", out.copy)
    assert.equal("bar 6", out.popitem)
    assert.equal("8 8 nil", out.setdefault)
    assert.equal("3 3", out.update)
    assert.equal("0", out["dict then"])
  end)
  it("list and set are shared", function()
    assert.equal("3 3", out.list)
    support.mentions(out.set, "true")
    assert.equal("2", out["set then"])
  end)
  it("Namespace is shared [M33]", function()
    assert.equal("Bob builder x Namespace(name='Bob', job='builder')", out.namespace)
    assert.equal("nil", out["namespace then"])
  end)
  it("objects may be in one another", function() assert.equal("nested 2", out.nested) end)
  it("containers refuse after its shutdown", function()
    support.mentions(out.sleeper, "manager is shut down")
    assert.equal("yes yes yes yes yes yes yes yes yes yes yes", out.refused)
  end)
  it("containers can be shown after it", function()
    assert.equal(4, support.count(out.shown, ": manager is shut down>"))
  end)
end)

describe("a manager's pool [M26]", function()
  local out = support.fixture [[
    local pool, result
    do
      local m <close> = process.Manager()
      pool = m:Pool(2)
      report("works", table.concat(pool:map(function(x) return x * x end, { 1, 2, 3 }), " "))
      report("wrong", try(m.Pool, m, 0))
      result = pool:apply_async(function() process.sleep(100) end)
    end
    report("refuses", try(pool.map, pool, print, { 1 }))
    local ok, failure = pcall(result.get, result)
    report("result", ok, failure.kind, tostring(failure):match "^[^\n]*")
    report("workers", #process.active_children())
    pool:close()
    pool:join()

    local m = process.Manager()
    pool = m:Pool(1)
    local child = process.Process(function() m:shutdown() end):start()
    report("asleep", try(pool.apply, pool, function() process.sleep(100) end))
    child:join()
    report("later", try(m.Pool, m, 1))
    -- A worker without a task ends by itself.
    for _, worker in ipairs(process.active_children()) do worker:join(30) end
    report("left", #process.active_children())
  ]]

  it("works until its manager is shut down", function()
    assert.equal("1 4 9", out.works)
    support.mentions(out.wrong, "bad option 'processes'")
    support.mentions(out.refuses, "map: manager is shut down")
  end)
  it("leaves no worker", function()
    assert.equal("false terminated manager is shut down", out.result)
    assert.equal("0", out.workers)
  end)
  it("ends if another process shuts the manager down", function()
    support.mentions(out.asleep, "manager is shut down")
    support.mentions(out.later, "Pool: manager is shut down")
    assert.equal("0", out.left)
  end)
end)
