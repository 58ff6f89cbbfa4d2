-- Condition: exactly as many go on as were notified.

local support = require "spec.support"

-- sleepers(n, timeout): n processes that wait for the condition `c`; each puts what it got into
-- `woken`.
local SLEEPERS = [[
  local c, woken, ready = process.Condition(), process.Queue(), process.Queue()
  local function sleepers(n, timeout)
    local ps = {}
    for i = 1, n do
      ps[i] = process.Process(function()
        local held <close> = c:hold()
        ready:put(i)
        local ok, word = c:wait(timeout)
        woken:put(ok and i or word)
      end):start()
    end
    for _ = 1, n do ready:get() end
    c:with(function() end) -- the last one has entered and let go
    return ps
  end
  local function join(ps) for _, p in ipairs(ps) do p:join() end end
  local function notify(...) c:acquire() c:notify(...) c:release() end
  local function take(n)
    local got = {}
    for i = 1, n do got[i] = woken:get(30) end
    return #got, woken:get(0.05)
  end
]]

describe("a condition", function()
  local out = support.fixture [[
    local c = process.Condition()
    report("new", tostring(c), c:locked())
    report("wait unheld", try(c.wait, c))
    report("wait_for unheld", try(c.wait_for, c, print))
    report("notify unheld", try(c.notify, c), try(c.notify_all, c))
    report("lock", c:acquire(), c:locked(), tostring(c), c:acquire(false), c:release(), c:locked())
    c:release()
    report("released twice", try(c.release, c))
    c:acquire()
    report("zero", c:wait(0), c:locked())
    report("negative", c:wait(-1))
    report("timeout", fx.timed(c.wait, c, 0.05) >= 0.05, tostring(c))
    c:acquire()
    report("depth", c:wait(0.01), tostring(c))
    c:release()
    report("still held", c:locked())
    report("nobody", c:notify(), c:notify(0), c:notify(-1), c:notify_all(), c:wait(0.01))
    report("predicate", c:wait_for(function() return "value" end),
      c:wait_for(function() return 1 end, 0))
    report("never true", fx.timed(c.wait_for, c, function() return false end, 0.05))
    c:release()
    local lock = process.Lock()
    local d = process.Condition(lock)
    report("plain", d:acquire(), lock:locked(), d:acquire(false), tostring(d), d:wait(0.01),
      lock:locked())
    lock:release()
    report("shared lock", try(d.wait, d))
    local e = process.Condition{ lock = process.RLock(), name = "news" }
    report("options", tostring(e), try(process.Condition, { loc = 1 }), try(process.Condition, 5))
    report("sent", process.loads(process.dumps(c)) == c)
    report("with", c:with(function() return c:locked() end), c:locked())
  ]]

  it("has a recursive lock of its own", function()
    assert.equal("<Condition(RLock(owner=None))> false", out.new)
    assert.equal("true true <Condition(RLock(owner=MainProcess))> true nil true", out.lock)
    support.mentions(out["released twice"], "release")
  end)
  it("is waited for and notified with the lock only", function()
    support.mentions(out["wait unheld"], "wait", "without its lock", "acquire")
    support.mentions(out["wait_for unheld"], "wait_for", "without its lock")
    support.mentions(out["notify unheld"], "notify without its lock", "notify_all without its lock")
  end)
  it("gives up at the timeout, and has the lock again", function()
    assert.equal("false timeout true", (out.zero:gsub("false true", "false timeout true")))
    assert.equal("false timeout", out.negative)
    assert.equal("true <Condition(RLock(owner=MainProcess))>", out.timeout)
    support.mentions(out.depth, "false", "owner=MainProcess")
    assert.equal("true", out["still held"])
  end)
  it("does not remember a notification", function()
    assert.equal("nil nil nil nil false timeout", out.nobody)
  end)
  it("waits for a predicate's value", function()
    assert.equal("value 1", out.predicate)
    local seconds, value, word = out["never true"]:match "(%S+) (%S+) (%S+)"
    assert.is_true(tonumber(seconds) >= 0.05)
    assert.equal("false timeout", value .. " " .. word)
  end)
  it("takes a lock that others use, too", function()
    assert.equal("true true false <Condition(Lock(owner=MainProcess))> false true",
      (out.plain:gsub("false timeout", "false")))
    support.mentions(out["shared lock"], "without its lock")
  end)
  it("takes options", function()
    support.mentions(out.options, "<Condition(RLock(owner=None))>", "loc", "Lock or RLock")
  end)
  it("can be sent, and has with", function()
    assert.equal("true", out.sent)
    assert.equal("true false", out.with)
  end)
end)

describe("those who wait for a condition", function()
  local out = support.fixture(SLEEPERS .. [[
    local ps = sleepers(6)
    report("none", woken:get(0.05))
    notify(2)
    report("two", take(2))
    notify(4)
    report("four", take(4))
    notify(3)
    join(ps)
    ps = sleepers(6)
    c:acquire() c:notify_all() c:release()
    report("all", take(6))
    join(ps)
    ps = sleepers(6, 0.05)
    join(ps)
    report("late", (take(6)))
    ps = sleepers(3)
    notify()
    report("not eaten", take(1))
    notify(2)
    report("others", take(2))
    join(ps)
    local q = process.Queue()
    local p = process.Process(function()
      c:acquire()
      ready:put(1)
      local began = process.now()
      q:put { c:wait_for(function() return false end, 0.3) }
      q:put(process.now() - began >= 0.3)
      c:release()
    end):start()
    ready:get()
    for _ = 1, 3 do notify() process.sleep(0.03) end
    report("total", q:get()[2], q:get())
    p:join()
    local value = process.Queue()
    p = process.Process(function()
      c:acquire()
      ready:put(1)
      report("became true", c:wait_for(function() return not value:empty() end, 30))
      c:release()
    end):start()
    ready:get()
    c:acquire() value:put(1) c:notify() c:release()
    p:join()
  ]])

  it("sleep until they are notified", function() assert.equal("nil empty", out.none) end)
  it("wake as many as are notified", function()
    assert.equal("2 nil empty", out.two)
    assert.equal("4 nil empty", out.four)
    assert.equal("6 nil empty", out.all)
  end)
  it("eat no notification when their time is up", function()
    assert.equal("6", out.late)
    assert.equal("1 nil empty", out["not eaten"])
    assert.equal("2 nil empty", out.others)
  end)
  it("have one deadline for a predicate, however often they are notified", function()
    assert.equal("timeout true", out.total)
    assert.equal("true", out["became true"])
  end)
end)

describe("a condition whose waiters die", function()
  local out = support.fixture(SLEEPERS .. [[
    local ps = sleepers(3)
    ps[1]:kill()
    ps[1]:join()
    notify(2)
    report("living", take(2))
    join(ps)
    ps = { sleepers(1)[1], sleepers(1)[1] } -- in this order
    os.execute("kill -STOP " .. ps[1].pid)
    eventually(function() return fx.state(ps[1].pid) == "T" end)
    notify() -- it goes to the first, which cannot take it ...
    report("stopped", woken:get(0.05))
    ps[1]:kill() -- ... and never will
    ps[1]:join()
    report("passed on", take(1))
    join(ps)
    process.Process(function() c:acquire() fx.die "KILL" end):start():join()
    report("abandoned", c:abandoned(), c:acquire())
    report("wait", c:wait(0.01))
    c:release()
    report("after", c:abandoned(), c:locked())
  ]])

  it("notifies the living", function() assert.equal("2 nil empty", out.living) end)
  it("gives the notification of a dead one to the next", function()
    assert.equal("nil empty", out.stopped)
    assert.equal("1 nil empty", out["passed on"])
  end)
  it("has a lock that is abandoned like any other", function()
    assert.equal("true true abandoned", out.abandoned)
    assert.equal("false timeout", out.wait)
    assert.equal("false false", out.after)
  end)
end)

describe("a wait for a condition that is interrupted", function()
  it("raises with the lock held", function()
    local run = support.start [[
      local c = process.Condition()
      local ok, message = pcall(c.with, c, function()
        print("waiting")
        c:wait()
      end)
      print(ok, tostring(message):match "interrupted!", c:locked())
    ]]
    run:wait_for "waiting"
    run:wait_asleep()
    run:signal("INT")
    assert.equal("waiting\nfalse\tinterrupted!\tfalse\n", run:finish().stdout)
  end)
end)
