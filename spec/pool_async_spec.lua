-- Pool: apply, the asynchronous calls, callbacks.

local support = require "spec.support"

describe("apply", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local function f(a, b, c) return a, b, c end
    report("args", pool:apply(f, { 1, 2, 3 }))
    report("nils", pool:apply(f, { nil, 2, n = 3 }))
    report("none", select("#", pool:apply(function() end)))
    report("kwargs", pool:apply(f, { 1 }, { c = 3, b = 2 }))
    report("unknown", try(pool.apply, pool, f, {}, { d = 1 }))
    report("error", try(pool.apply, pool, error, { "no luck", 0 }))
    local value, same = { deep = { 1 } }, nil
    same = pool:apply(function(v) return v end, { value })
    report("copy", same.deep[1], same ~= value)
    local sum = 0
    for i = 1, 300 do sum = sum + pool:apply(math.abs, { -i }) end
    report("many", sum)
    report("nested", pool:apply(function(n)
      local inner <close> = process.Pool(2)
      return table.concat(inner:map(function(x) return x + n end, { 1, 2, 3 }), " ")
    end, { 10 }))
    report("names", pool:apply(function() return process.current_process().name end)
      :match "^PoolWorker%-[12]$" ~= nil)
    report("daemon", pool:apply(function() return process.current_process().daemon end))
  ]]

  it("gives all results", function()
    assert.equal("1 2 3", out.args)
    assert.equal("nil 2 nil", out.nils)
    assert.equal("0", out.none)
    assert.equal("1 true", out.copy)
    assert.equal("45150", out.many)
  end)
  it("takes arguments by name", function()
    assert.equal("1 2 3", out.kwargs)
    support.mentions(out.unknown, "no parameter is called 'd'")
  end)
  it("raises the task's error", function() support.mentions(out.error, "no luck") end)
  it("may make a pool of its own", function() assert.equal("11 12 13", out.nested) end)
  it("runs in a daemon with a name", function()
    assert.equal("true", out.names)
    assert.equal("true", out.daemon)
  end)
end)

describe("an AsyncResult", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local go = process.Event()
    local function held(x) go:wait() return x * 7 end
    local r = pool:apply_async(held, { 7 })
    report("early", r:ready(), r)
    report("too early", try(r.successful, r))
    report("timeout", r:get(0.01))
    report("wait", r:wait(0.01))
    report("zero", r:get(0), r:wait(-1))
    go:set()
    report("value", r:get(), r:get(30), r:wait(), r:ready(), r:successful(), r)
    local m = pool:map_async(function(x) return x * x end, { 1, 2, 3 })
    report("map", table.concat(m:get(), " "), m:get().n)
    report("starmap", table.concat(pool:starmap_async(math.max, { { 1, 2 }, { 3 } }):get(), " "))
    local bad = pool:apply_async(error, { "no", 0 })
    report("failed", bad:wait(), bad:successful(), try(bad.get, bad))
    report("misuse", try(r.get, {}), try(r.get, r, "x"))
    local list = {}
    for i = 0, 9 do list[#list + 1] = pool:apply_async(function(x) return x * x end, { i }) end
    pool:close()
    pool:join()
    for i, each in ipairs(list) do list[i] = each:get() end
    report("after join", table.concat(list, " "))
  ]]

  it("is not ready before its task has ended", function()
    assert.equal("false <AsyncResult apply 0/1>", out.early)
    support.mentions(out["too early"], "not ready")
    assert.equal("nil timeout", out.timeout)
    assert.equal("false timeout", out.wait)
    assert.equal("nil false timeout", out.zero)
  end)
  it("then gives the results, as often as one likes", function()
    assert.equal("49 49 true true true <AsyncResult apply ready>", out.value)
    assert.equal("1 4 9 3", out.map)
    assert.equal("2 3", out.starmap)
  end)
  it("raises the error of what failed", function()
    support.mentions(out.failed, "true false", "no")
  end)
  it("is to be used as it should", function()
    support.mentions(out.misuse, "AsyncResult expected", "number of seconds expected")
  end)
  it("outlives its pool", function()
    assert.equal("0 1 4 9 16 25 36 49 64 81", out["after join"])
  end)
end)

describe("a callback", function()
  local out = support.fixture [[
    local pool = process.Pool(2)
    local got, pid, calls = {}, nil, 0
    local function note(...) pid, calls = process.getpid(), calls + 1; got = table.pack(...) end
    local r = pool:apply_async(function() return 1, nil, 3 end, {}, nil, { callback = note })
    r:wait()
    report("apply", calls, pid == process.getpid(), got.n, got[1], got[3])
    pool:map_async(function(x) return x * x end, { 1, 2, 3 }, { callback = note })
    pool:map_async(error, { 1, 2, 3 }, { callback = note, error_callback = function(e)
      report("error", e.value, getmetatable(e) == process.RemoteError)
    end })
    pool:map_async(function() end, {}, { callback = function(v) report("empty", #v) end })
    pool:apply_async(function() return 2 end, {}, nil, { callback = function(v)
      report("polled", v)
    end })
    pool:map(function(x) return x end, { 1 }, { callback = function(v) report("sync", v[1]) end })
    pool:apply_async(function() end, {}, nil, { callback = function()
      error "in a callback"
    end })
    pool:apply_async(function() end, {}, nil, { callback = function()
      report("makes calls", pool:apply(function() return 5 end))
      pool:close()
    end }):wait()
    pool:join()
    report("map", calls, table.concat(got[1], " "))
    report("state", pool)
  ]]

  it("gets the results, in the process that made the pool", function()
    assert.equal("1 true 3 1 3", out.apply)
    assert.equal("2 1 4 9", out.map)
    assert.equal("2", out.polled)
    assert.equal("1", out.sync)
    assert.equal("0", out.empty)
  end)
  it("for errors gets the RemoteError", function() assert.equal("1 true", out.error) end)
  it("may use the pool", function()
    assert.equal("5", out["makes calls"])
    assert.equal("<Pool state=joined pool_size=2>", out.state)
  end)
  it("that fails is told of on standard error", function()
    support.mentions(out().stderr, "in a callback")
  end)
end)

describe("a callback that starts a process", function()
  local out = support.fixture [[
    local called = process.Queue()
    local function live()
      local got
      local own <close> = process.Pool(1)
      own:apply_async(math.abs, { -7 }, nil, { callback = function(v) got = v end })
      local till = process.now() + 30
      while not got and process.now() < till do process.sleep(0.01) end
      called:put(got or "never")
    end
    local pool <close> = process.Pool(1)
    local child
    pool:apply_async(math.abs, { -1 }, nil, { callback = function()
      child = process.Process(live):start()
    end })
    while not child do process.sleep(0.01) end
    report("in the child", called:get())
  ]]

  it("leaves it its own callbacks", function() assert.equal("7", out["in the child"]) end)
end)

describe("a callback, while the program waits for something else,", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(1)
    local got
    -- Whether `wait`, called again and again, comes to call a callback.
    local function comes(wait)
      got = nil
      pool:apply_async(math.abs, { -7 }, nil, { callback = function(v) got = v end })
      for _ = 1, 3000 do
        wait(0.01)
        if got then return got end
      end
    end
    local e, q = process.Event(), process.Queue()
    local hold <const> = process.Event()
    local child = process.Process{ target = function() hold:wait() end }
    child:start()
    report("sleep", comes(process.sleep))
    report("event", comes(function(t) e:wait(t) end))
    report("queue", comes(function(t) q:get(true, t) end))
    report("wait", comes(function(t) process.wait({ e, q }, t) end))
    report("join", comes(function(t) child:join(t) end))
    local conn = process.Pipe()
    local tasks = process.JoinableQueue()
    tasks:put "never done"
    report("pipe", comes(function(t) conn:poll(t) end))
    report("many", comes(function(t) q:get_many(2, true, t) end))
    report("tasks", comes(function(t) tasks:join(t) end))
    report("barrier", comes(function(t)
      local b = process.Barrier(2)
      b:wait(t)
    end))
    report("dict", comes(function(t) process.dict.wait_change(process.dict{}, "k", t) end))
    -- What a callback does may be what is waited for.
    local done = process.Event()
    local function call(f)
      pool:apply_async(math.abs, { -7 }, nil, { callback = f })
    end
    call(function() done:set() end)
    report("sets", done:wait(60))
    call(function() q:put "answer" end)
    report("puts", q:get(true, 60))
    done:clear()
    call(function() done:set() end)
    report("is awaited", process.wait({ done, q }, 60)[1] == done)
    local one, other = process.Pipe()
    call(function() one:send "letter" end)
    report("sends", other:recv())
    local stopped = process.Process{ target = function() process.sleep(60) end }
    stopped:start()
    call(function() stopped:terminate() end)
    report("ends", stopped:join(60), stopped.exitcode)
    local early = false
    for _ = 1, 50 do -- a busy machine may need more than one
      local began = process.now()
      call(function() early = early or process.now() - began < 0.1 end)
      process.sleep(0.2)
      if early then break end
    end
    report("sleeps", early)
    q:put "item"
    pool:apply_async(math.abs, { -8 }, nil, { callback = function(v)
      process.sleep(0) -- waits itself
      got = v
    end }):wait()
    report("nested", got, q:get())
    got = nil
    local late = pool:apply_async(math.abs, { -9 }, nil, { callback = function(v) got = v end })
    local other = process.Process{ target = function()
      process.sleep(0.001)
      os.exit(got == nil and 0 or 1)
    end }
    other:start()
    other:join()
    late:wait()
    report("child", other.exitcode, got)
    hold:set()
    child:join()
  ]]
  it("is called when that returns", function()
    for _, name in ipairs { "sleep", "event", "queue", "wait", "join", "pipe", "many", "tasks",
      "barrier", "dict" } do
      assert.equal("7", out[name], name)
    end
  end)
  it("is called meanwhile: it may be what the wait is for", function()
    assert.equal("true", out.sets)
    assert.equal("answer", out.puts)
    assert.equal("true", out["is awaited"])
    assert.equal("letter", out.sends)
    assert.equal("true -15", out.ends)
    assert.equal("true", out.sleeps)
  end)
  it("may wait, too", function() assert.equal("8 item", out.nested) end)
  it("is not its children's", function() assert.equal("0 9", out.child) end)
end)

describe("cancel", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(1)
    local go, begun, ran = process.Event(), process.Event(), process.Value("i", 0)
    local first = pool:apply_async(function() begun:set(); go:wait(); return "first" end)
    begun:wait()
    local queued = pool:apply_async(function() ran:add(1) end)
    local list = pool:map_async(function() ran:add(1) end, { 1, 2, 3, 4, 5, 6 })
    local failed
    report("cancels", queued:cancel(), list:cancel())
    go:set()
    report("first", first:get(), first:cancel(), first:get())
    local ok, e = pcall(queued.get, queued)
    report("queued", ok, e.kind, e.value)
    ok, e = pcall(list.get, list)
    report("list", ok, e.kind, ran.value)
    begun:clear()
    local pid = pool:apply(process.getpid)
    local busy = pool:apply_async(function() begun:set(); while true do end end, {}, nil,
      { error_callback = function(err) failed = err end })
    begun:wait()
    report("running", busy:cancel())
    ok, e = pcall(busy.get, busy)
    report("interrupted", ok, e.kind, failed == e)
    report("worker", pool:apply(process.getpid) == pid)
  ]]

  it("takes back what has not begun", function()
    assert.equal("true true", out.cancels)
    assert.equal("false cancelled a task of apply was cancelled", out.queued)
    assert.equal("false cancelled 0", out.list)
  end)
  it("changes nothing about what has ended", function()
    assert.equal("first false first", out.first)
  end)
  it("interrupts what runs, and the worker lives on", function()
    assert.equal("true", out.running)
    assert.equal("false cancelled true", out.interrupted)
    assert.equal("true", out.worker)
  end)
end)

describe("process.wait for results", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local go = { process.Event(), process.Event() }
    local function held(i) go[i]:wait(); return i end
    local a, b = pool:apply_async(held, { 1 }), pool:apply_async(held, { 2 })
    report("none", #process.wait({ a, b }, 0), #process.wait({ a, b }, 0.01))
    go[2]:set()
    local ready = process.wait{ a, b }
    report("one", #ready, ready[1] == b, b:get())
    local q = process.Queue()
    q:put "item"
    ready = process.wait{ a, q, b }
    report("mixed", #ready, ready[1] == q, ready[2] == b)
    local dies = pool:apply_async(function() fx.die "KILL" end)
    ready = process.wait{ a, dies }
    report("death", #ready, ready[1] == dies, dies:successful())
    go[1]:set()
    ready = process.wait{ a }
    report("other", ready[1] == a, a:get())
    local p = process.Process(function() end):start()
    ready = process.wait{ p, pool:apply_async(process.sleep, { 60 }) }
    report("process", #ready, ready[1] == p)
    pool:terminate()
    report("over", #process.wait{ a, b, dies })
  ]]

  it("gives those that are ready, beside other things", function()
    assert.equal("0 0", out.none)
    assert.equal("1 true 2", out.one)
    assert.equal("2 true true", out.mixed)
    assert.equal("true 1", out.other)
    assert.equal("1 true", out.process)
    assert.equal("3", out.over)
  end)
  it("wakes for a worker's death", function() assert.equal("1 true false", out.death) end)
end)

describe("a wait for a result that is interrupted", function()
  local out = support.fixture [[
    local signal = require "posix.signal"
    local pool <close> = process.Pool(1)

    -- Ctrl-C in the midst of taking a result over: when the pool's code first calls `store`.
    local function interrupt()
      local f = debug.getinfo(2, "nS")
      if f.name == "store" and f.source:find "result" then
        debug.sethook()
        signal.kill(process.getpid(), signal.SIGINT)
      end
    end
    local r = pool:map_async(math.abs, { -1, -2, -3 }, 1)
    debug.sethook(interrupt, "c")
    local ok, message = pcall(r.get, r)
    report("interrupt", ok, message:match "interrupted!$")
    report("after it", table.concat(r:get(30) or { "lost" }, " "))
  ]]

  it("loses no result", function()
    assert.equal("false interrupted!", out.interrupt)
    assert.equal("1 2 3", out["after it"])
  end)
end)
