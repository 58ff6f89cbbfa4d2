-- Bad input: a wrong argument names the function, the argument and what is expected. A full arena.

local support = require "spec.support"

-- A call, and what its error must mention: the function, the argument, what is expected. At hand
-- are p (a process not started), started, lock, event, q.
local MISUSE = {
  { "process.Process{ traget = print }", "Process", "traget", "target" },
  { "process.Process{ target = 5 }", "Process", "target", "function", "number" },
  { "process.Process(5)", "Process", "function", "number" },
  { "process.Process{ args = 'x' }", "Process", "args", "table", "string" },
  { "process.Process{ kwargs = 5 }", "Process", "kwargs", "table", "number" },
  { "process.Process{ name = {} }", "Process", "name", "string", "table" },
  { "process.Process{ daemon = 1 }", "Process", "daemon", "boolean", "number" },
  { "process.Process:extend(5)", "extend", "#1|name", "string", "number" },
  { "process.Process:extend()", "extend", "#1|name", "string" },
  { "p.name = 5", "name", "string", "number" },
  { "p.daemon = 'yes'", "daemon", "boolean|true or false", "string" },
  { "p.authkey = 5", "authkey", "string", "number" },
  { "p.pid = 5", "pid" },
  { "p.ident = 5", "ident" },
  { "p.exitcode = 5", "exitcode" },
  { "p.sentinel = 5", "sentinel" },
  { "started:join('soon')", "join", "#1|timeout", "number", "string" },
  { "started:join({})", "join", "#1|timeout", "number", "table" },
  { "p.start()", "start", "Process" },
  { "p.join(5)", "join", "Process" },
  { "p.is_alive('x')", "is_alive", "Process" },
  { "p.terminate({})", "terminate", "Process" },
  { "p:kill()", "kill", "start" },
  { "started:start()", "start", "twice" },
  { "started:close()", "close", "join" },
  { "process.sleep('long')", "sleep", "number", "string" },
  { "process.sleep()", "sleep", "number" },
  { "process.atexit(5)", "atexit", "function", "number" },
  { "process.atexit()", "atexit", "function" },
  { "lock:acquire('x')", "acquire", "number", "string" },
  { "lock:acquire(true, 'x')", "acquire", "#2|timeout", "number", "string" },
  { "lock:acquire({})", "acquire", "number", "table" },
  { "lock:hold('x')", "hold", "#1|timeout", "number", "string" },
  { "lock:with(5)", "with", "function", "number" },
  { "lock:with()", "with", "function" },
  { "lock:release()", "release", "lock" },
  { "lock.acquire()", "acquire", "Lock" },
  { "lock.release(q)", "release", "Lock", "Queue" },
  { "lock.locked(5)", "locked", "Lock", "number" },
  { "lock.abandoned('x')", "abandoned", "Lock", "string" },
  { "lock.hold({})", "hold", "Lock" },
  { "lock.with(print)", "with", "Lock" },
  { "event:wait('x')", "wait", "#1|timeout", "number", "string" },
  { "event:wait(true)", "wait", "#1|timeout", "number", "boolean" },
  { "event.set()", "set", "Event" },
  { "event.clear(lock)", "clear", "Event", "Lock" },
  { "event.is_set(5)", "is_set", "Event", "number" },
  { "event.wait(5)", "wait", "Event", "number" },
  { "process.Queue('x')", "Queue", "#1|maxsize", "number", "string" },
  { "process.Queue(1.5)", "Queue", "#1|maxsize", "integer" },
  { "q:put(1, 'x')", "put", "number", "string" },
  { "q:put(1, true, 'x')", "put", "#3|timeout", "number", "string" },
  { "q:get('x')", "get", "number", "string" },
  { "q:get(true, {})", "get", "#2|timeout", "number", "table" },
  { "q:put_many(5)", "put_many", "#1|list", "table", "number" },
  { "q:put_many()", "put_many", "#1|list", "table" },
  { "q:get_many('x')", "get_many", "#1|max", "number", "string" },
  { "q:get_many()", "get_many", "#1|max", "number" },
  { "q:get_many(1.5)", "get_many", "#1|max", "integer" },
  { "q:get_many(1, 'x')", "get_many", "number", "string" },
  { "q:get_many(1, true, 'x')", "get_many", "#3|timeout", "number", "string" },
  { "q.put(5)", "put", "Queue", "number" },
  { "q.get()", "get", "Queue" },
  { "q.put_nowait(lock)", "put_nowait", "Queue", "Lock" },
  { "q.get_nowait('x')", "get_nowait", "Queue", "string" },
  { "q.put_many({})", "put_many", "Queue", "table" },
  { "q.get_many(5)", "get_many", "Queue", "number" },
  { "q.qsize(event)", "qsize", "Queue", "Event" },
  { "q.empty({})", "empty", "Queue" },
  { "q.full(5)", "full", "Queue", "number" },
  { "q.items(5)", "items", "Queue", "number" },
  { "q.shutdown()", "shutdown", "Queue" },
  { "q.close(5)", "close", "Queue", "number" },
  { "q.join_thread()", "join_thread", "Queue" },
  { "q.cancel_join_thread(5)", "cancel_join_thread", "Queue", "number" },
}

describe("a wrong argument is an error that says what is wrong:", function()
  local lines = { [[
    local p, q = process.Process(print), process.Queue()
    local lock, event = process.Lock(), process.Event()
    local go = process.Event()
    local started = process.Process(function() go:wait() end):start()
    report("script", debug.getinfo(1, "S").short_src)
  ]] }
  for i, case in ipairs(MISUSE) do
    lines[#lines + 1] = ("report(%q, try(function() %s end))"):format("case" .. i, case[1])
  end
  lines[#lines + 1] = [[
    report("unharmed", q:put(1), q:get(), lock:acquire(), lock:locked(), event:is_set(), p.pid)
    go:set()
    started:join()
  ]]
  local out = support.fixture(table.concat(lines, "\n"))

  for i, case in ipairs(MISUSE) do
    it(case[1], function() support.mentions(out["case" .. i], table.unpack(case, 2)) end)
  end
  it("and points at the script's own line", function()
    for i in ipairs(MISUSE) do assert.matches("^" .. out.script .. ":%d+: ", out["case" .. i]) end
  end)
  it("and changes nothing", function() assert.equal("true 1 true true false nil", out.unharmed) end)
end)

local SMALL = { env = { MPL_SHM_SIZE = "2M" } }

describe("a full arena", function()
  local out = support.fixture([[
    local failure = fx.failure
    local KB = 1024
    local q = process.Queue()
    local function item(i) return ("%06d"):format(i):rep(10 * KB // 6) end
    local function fill(first)
      local i, message = first, nil
      repeat
        message = failure(q.put, q, item(i))
        if message == "no error" then i = i + 1 end
      until message ~= "no error"
      return i - first, message
    end
    local n, message = fill(1)
    report("filled", n >= 20)
    report("message", message)
    report("again", failure(q.put, q, item(0)))
    report("many", failure(q.put_many, q, { item(0), item(0) }))
    report("size", q:qsize() == n)
    local whole = true
    for i = 1, 5 do whole = whole and q:get() == item(i) end
    report("room", q:put(item(n + 1)))
    for i = 6, n + 1 do whole = whole and q:get() == item(i) end
    report("kept", whole, q:empty())

    report("too big", failure(q.put, q, ("x"):rep(8 * KB * KB)))
    report("usable", q:put "fine", q:get(), q:empty())
    local least = n
    for _ = 1, 5 do
      local count = fill(1)
      least = math.min(least, count)
      for i = 1, count do whole = whole and q:get() == item(i) end
    end
    report("all of it again", whole, least >= 0.9 * n)
  ]], SMALL)

  it("is an error of the put that asked", function()
    assert.equal("true", out.filled)
    for _, name in ipairs { "message", "again", "many", "too big" } do
      support.mentions(out[name], "out of shared memory")
    end
  end)
  it("keeps all that was queued", function()
    assert.equal("true", out.size)
    assert.equal("true true", out.kept)
  end)
  it("has room again for what is taken out", function()
    assert.equal("true", out.room)
    assert.equal("true fine true", out.usable)
    assert.equal("true true", out["all of it again"])
  end)
end)

describe("an arena full of objects", function()
  local out = support.fixture([[
    local failure = fx.failure
    for _, class in ipairs{ "Lock", "Event", "Queue" } do
      local kept, message = {}, "no error"
      while message == "no error" and #kept < 1000000 do
        message = failure(function() kept[#kept + 1] = process[class]() end)
      end
      report(class, message)
      kept[1] = nil
      kept = nil
      collectgarbage()
      collectgarbage()
      report(class .. " again", failure(process[class]))
    end
    collectgarbage()
    local q = process.Queue()
    while failure(q.put, q, "small") == "no error" do end
    local left = q:qsize()
    local p = process.Process(os.exit, 5)
    local message = failure(p.start, p)
    if message == "no error" then
      p:join()
      report("start", p.exitcode)
    else
      report("start", p.pid == nil and #process.active_children() == 0 and "5" or message)
    end
    report("kept", q:qsize() == left)
    local child = failure(function()
      process.Process(function()
        report("child", failure(q.put, q, ("x"):rep(1 << 20)))
        for _ = 1, left do q:get() end
        report("child drained", q:empty())
      end):start():join()
    end)
    report("child runs", child)
    while q:get(false) do end
    p = process.Process(os.exit, 6):start()
    p:join()
    report("afterwards", p.exitcode)
  ]], SMALL)

  for _, class in ipairs { "Lock", "Event", "Queue" } do
    it("is an error of the making of a " .. class .. ", until some are given up", function()
      support.mentions(out[class], "out of shared memory")
      assert.equal("no error", out[class .. " again"])
    end)
  end
  it("starts a process or nothing at all", function()
    assert.equal("5", out.start)
    assert.equal("6", out.afterwards)
  end)
  it("is the same for every process", function()
    assert.equal("no error", out["child runs"])
    support.mentions(out.child, "out of shared memory")
    assert.equal("true", out["child drained"])
    assert.equal("true", out.kept)
  end)
end)

describe("the size of the arena", function()
  it("is given in bytes, or with K, M or G", function()
    local program = [[
      local q = process.Queue()
      report("fits", fx.failure(q.put, q, ("x"):rep(1 << 20)))
      report("too big", fx.failure(q.put, q, ("x"):rep(40 << 20)))
    ]]
    for _, size in ipairs { "33554432", "32768K", "32M", "32m" } do
      local out = support.fixture(program, { env = { MPL_SHM_SIZE = size } })
      assert.equal("no error", out.fits)
      support.mentions(out["too big"], "out of shared memory")
    end
    local out = support.fixture(program, { env = { MPL_SHM_SIZE = "1G" } })
    assert.equal("no error", out["too big"])
  end)
end)
