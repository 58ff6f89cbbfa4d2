-- Deadlocks: found, and named, where they are. What is none is in deadlock_alarm_spec.lua.

local support = require "spec.support"

-- A deadlock is found within a second of closing; this is for the slowest machine.
local SOON = 10

-- What the programs have at hand: `waits(name)`, what a process waits for; `shown(message)`, with
-- the names of the members in place of their pids; `named(name, target, ...)`, a started process.
local MEMBERS = [[
  local function waits(name)
    for _, p in ipairs(process.stats().processes) do
      if p.name == name then return p.waits end
    end
  end
  local function shown(message)
    for _, p in ipairs(process.stats().processes) do
      message = message:gsub("%(pid " .. p.pid .. "%)", "(pid of " .. p.name .. ")")
    end
    return message
  end
  local function named(name, target, ...)
    return process.Process{ name = name, target = target, args = { ... } }:start()
  end
]]

local function fixture(source, options)
  return support.fixture(MEMBERS:gsub("\n%s*", " ") .. source, options)
end

local function is_soon(seconds)
  assert.is_true(tonumber(seconds) < SOON, seconds)
end

describe("two children that want each other's lock", function()
  local out = fixture([[
    local one, two = process.Lock{ name = "one" }, process.Lock()
    local spare = process.Lock{ name = "spare" }
    local ready = process.Event()
    local a = named("A", function()
      one:acquire()
      ready:set()
      eventually(function() return two:locked() end)
      report("first", two:acquire())
      report("later", select("#", two:release()), select("#", one:release()))
    end)
    local b = named("B", function()
      ready:wait()
      spare:acquire()
      two:acquire()
      eventually(function() return waits "A" end)
      report("waits", waits "A")
      local seconds, ok, message = fx.timed(pcall, one.acquire, one)
      report("second", ok, shown(message))
      report("seconds", seconds)
      report("still held", spare:locked(), two:locked())
      report("again", try(one.acquire, one):match "deadlock")
      two:release()
      report("in the end", one:acquire())
    end)
    a:join()
    b:join()
    report("codes", a.exitcode, b.exitcode)
  ]])

  it("are told apart: the one that closed it gets an error", function()
    assert.matches("^false .*: deadlock: each of these processes waits for the next", out.second)
    is_soon(out.seconds)
  end)
  it("are named, with pids, locks by name or place, and the order of taking", function()
    local text = out.second:gsub("^.-last for the first +", ""):gsub("%s+", " ")
    assert.matches("^B %(pid of B%) took Lock 'spare', then Lock #%d+ made at [^ ]+:1, and "
      .. "waits for Lock 'one' A %(pid of A%) took Lock 'one', and waits for Lock #%d+ made at "
      .. "[^ ]+:1$", text)
  end)
  it("say what they wait for in stats", function()
    assert.matches("^waits for Lock #%d+ made at ", out.waits)
  end)
  it("keep what they hold, and may try again", function()
    assert.equal("true true", out["still held"])
    assert.equal("deadlock", out.again)
  end)
  it("go on: the other one as soon as the first has released", function()
    assert.equal("true", out.first)
    assert.equal("true", out["in the end"])
    assert.equal("0 0", out.codes)
  end)
end)

describe("the main program and a child that want each other's lock", function()
  local function crossing(main_last)
    return fixture(([[
      local one, two = process.Lock{ name = "one" }, process.Lock{ name = "two" }
      local main_last = %s
      one:acquire()
      local p = named("child", function()
        two:acquire()
        if not main_last then eventually(function() return waits "MainProcess" end) end
        report("child", (try(one.acquire, one):gsub("\n.*", "")))
        two:release()
      end)
      eventually(function() return two:locked() end)
      if main_last then eventually(function() return waits "child" end) end
      local ok, message = pcall(two.acquire, two)
      report("main", ok, message)
      one:release()
      report("join", p:join())
    ]]):format(main_last))
  end
  local by_main, by_child = crossing(true), crossing(false)

  it("raises in the main program if that came last", function()
    assert.matches("^false .*deadlock: each of these", by_main.main)
    assert.equal("no error", by_main.child)
  end)
  it("raises in the child if that came last", function()
    assert.equal("true true", by_child.main)
    assert.equal("true", by_child.join)
    assert.matches("deadlock: each of these", by_child.child)
  end)
end)

describe("a cycle of three", function()
  local out = fixture([[
    local locks = {}
    for i = 1, 3 do locks[i] = process.Lock{ name = "lock " .. i } end
    local verdicts, have = process.Queue(), process.Queue()
    local go = process.Event()
    for i = 1, 3 do
      named("P" .. i, function()
        local mine <close> = locks[i]:hold()
        have:put(i)
        go:wait()
        local ok, message = pcall(function() local held <close> = locks[i % 3 + 1]:hold() end)
        verdicts:put{ ok, not ok and message or "" }
      end)
    end
    for _ = 1, 3 do have:get() end
    go:set()
    local failed, text = 0, ""
    for _ = 1, 3 do
      local verdict = verdicts:get()
      if not verdict[1] then failed, text = failed + 1, verdict[2] end
    end
    report("failed", failed)
    report("lines", text)
  ]])

  it("raises in one of them, and the others go on", function() assert.equal("1", out.failed) end)
  it("is told from its last member on, each waiting for the next", function()
    local order = {}
    for took, wants in out.lines:gmatch "took Lock 'lock (%d)', and waits for Lock 'lock (%d)'" do
      assert.equal(tonumber(took) % 3 + 1, tonumber(wants))
      assert.is_true(#order == 0 or order[#order] == took)
      order[#order + 1] = wants
    end
    assert.equal(3, #order)
  end)
end)

describe("cycles that close at the same moment", function()
  local out = fixture([[
    local failed, passed = 0, 0
    for round = 1, 10 do
      local one, two = process.Lock(), process.Lock()
      local go, has = process.Event(), process.Queue()
      local verdicts = process.Queue()
      local function cross(first, second)
        first:acquire()
        has:put(true)
        go:wait()
        local ok = pcall(second.acquire, second)
        first:release()
        if ok then second:release() end
        verdicts:put(ok)
      end
      for _, pair in ipairs{ { one, two }, { two, one } } do
        named("crossing", cross, pair[1], pair[2])
      end
      has:get()
      has:get()
      go:set()
      for _ = 1, 2 do
        if verdicts:get() then passed = passed + 1 else failed = failed + 1 end
      end
    end
    report("passed", passed, failed)
  ]])

  it("raise in exactly one", function() assert.equal("10 10", out.passed) end)
end)

describe("a join that waits for somebody who waits for the caller", function()
  local out = fixture([[
    local lock = process.Lock{ name = "lock" }
    lock:acquire()
    local p = named("child", function()
      report("child", (try(lock.acquire, lock):gsub("\n.*", "")))
      lock:release()
    end)
    eventually(function() return waits "child" end)
    local seconds, ok, message = fx.timed(pcall, p.join, p)
    report("join", ok, shown(message))
    report("seconds", seconds)
    lock:release()
    report("joined", p:join(), p.exitcode)

    local q = named("heir", function() process.parent_process():join() end)
    eventually(function() return waits "heir" end)
    report("heir waits", waits "heir")
    report("each other", shown(try(q.join, q)))
    q:kill()
    report("killed", q:join())
  ]])

  it("raises: a child wants a lock of its parent", function()
    assert.matches("^false .*MainProcess %(pid of MainProcess%) took Lock 'lock', and waits for "
      .. "the end of child%s+child %(pid of child%) waits for Lock 'lock'", out.join)
    is_soon(out.seconds)
  end)
  it("can be had again once the lock was released", function()
    assert.equal("true 0", out.joined)
    assert.equal("no error", out.child)
  end)
  it("raises: a child joins its parent", function()
    assert.equal("waits for the end of MainProcess", out["heir waits"])
    assert.matches("MainProcess %(pid of MainProcess%) waits for the end of heir%s+"
      .. "heir %(pid of heir%) waits for the end of MainProcess", out["each other"])
    assert.equal("true", out.killed)
  end)
end)

describe("a Lock that its holder acquires again", function()
  local alone = fixture([[
    local lock = process.Lock{ name = "mine" }
    lock:acquire()
    local seconds, ok, message = fx.timed(pcall, lock.acquire, lock)
    report("acquire", ok, shown(message))
    report("seconds", seconds)
    report("hold", try(lock.hold, lock):match "deadlock: the caller holds what it waits for")
    report("with", try(lock.with, lock, print):match "deadlock: the caller holds what it waits for")
    report("locked", lock:locked(), tostring(lock))
    lock:release()
    report("free", lock:acquire(false), pcall(lock.release, lock))
    report("misuse", (pcall(lock.release, lock)))
    lock:acquire()
    report("not handed over by misuse", try(lock.acquire, lock):match "the caller holds")
  ]])
  local watched = fixture([[
    local lock, never = process.Lock{ name = "mine" }, process.Event{ name = "never" }
    local p = named("sleeper", function() never:wait() end)
    eventually(function() return waits "sleeper" end)
    lock:acquire()
    local seconds, ok, message = fx.timed(pcall, lock.acquire, lock)
    report("acquire", ok, message)
    report("seconds", seconds)
    never:set()
    report("joined", p:join())
  ]])
  local in_child = fixture([[
    local lock, ready = process.Lock{ name = "mine" }, process.Event()
    local p = named("child", function()
      lock:acquire()
      ready:set()
      report("child", (try(lock.acquire, lock):gsub("\n.*", "")))
    end)
    ready:wait()
    process.sleep(2.5)
    report("join", p:join(), p.exitcode)
  ]])

  it("raises at once if there is nobody else", function()
    assert.matches("^false [^ ]+:%d+: deadlock: the caller holds what it waits for%s+MainProcess "
      .. "%(pid of MainProcess%) took Lock 'mine', and waits for Lock 'mine'", alone.acquire)
    is_soon(alone.seconds)
  end)
  it("raises from hold and with, too", function()
    assert.matches("deadlock", alone.hold)
    assert.matches("deadlock", alone.with)
  end)
  it("is still held then, and an ordinary lock", function()
    assert.equal("true <Lock(owner=MainProcess)>", alone.locked)
    assert.equal("true true", alone.free)
  end)
  it("is not handed over by a release that failed", function()
    assert.equal("false", alone.misuse)
    assert.equal("the caller holds", alone["not handed over by misuse"])
  end)
  it("raises once the others have slept for a second", function()
    assert.matches("^false .*the caller holds what it waits for", watched.acquire)
    assert.is_true(tonumber(watched.seconds) >= 0.9)
    is_soon(watched.seconds)
    assert.equal("true", watched.joined)
  end)
  it("raises in the child that did it, when its parent falls asleep much later", function()
    assert.matches("the caller holds what it waits for", in_child.child)
    assert.equal("true 0", in_child.join)
  end)
end)

describe("a raw fork", function()
  local out = fixture([[
    local one, two = process.Lock{ name = "one" }, process.Lock{ name = "two" }
    local verdicts = process.Queue()
    one:acquire()
    if process.fork() == 0 then
      two:acquire()
      local ok = pcall(one.acquire, one)
      two:release()
      verdicts:put(ok)
      os.exit(0)
    end
    eventually(function() return two:locked() end)
    local ok = pcall(two.acquire, two)
    one:release()
    report("one of them", ok ~= verdicts:get())
  ]])

  it("takes part", function() assert.equal("true", out["one of them"]) end)
end)
