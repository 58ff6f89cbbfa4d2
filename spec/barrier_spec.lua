-- Barrier: parties wait for one another, round after round.

local support = require "spec.support"

describe("a barrier of one", function()
  local out = support.fixture [[
    local n = 0
    local b = process.Barrier(1, function() n = n + 1 end)
    report("new", b.parties, b.n_waiting, b.broken, tostring(b), n)
    report("wait", b:wait(), b:wait(0), b:wait(5), n)
    local alone = process.Barrier(2)
    report("late", fx.timed(alone.wait, alone, 0.05))
    report("broken", alone.broken, tostring(alone), alone:wait())
    report("reset", select("#", alone:reset()), alone.broken, alone:wait(0))
    report("abort", alone:reset(), alone:abort(), alone.broken, alone:wait(9))
    local timed = process.Barrier(2, nil, 0.05)
    report("own timeout", fx.timed(timed.wait, timed))
    timed:reset()
    report("other timeout", fx.timed(timed.wait, timed, 0.2))
    local bad = process.Barrier(1, function() error("no luck", 0) end)
    report("failing", try(bad.wait, bad), bad.broken, bad:wait())
    report("wrong", try(process.Barrier, 0), try(process.Barrier, -1), try(process.Barrier),
      try(process.Barrier, 2, 5))
    local named = process.Barrier{ parties = 3, name = "start" }
    report("options", named.parties, process.Barrier{ parties = 4 }.parties,
      try(process.Barrier, { parties = 1, part = 2 }))
    report("field", try(process.Barrier, {}), try(process.Barrier, { parties = "2" }),
      try(process.Barrier, { parties = 2, action = 5 }),
      try(process.Barrier, { parties = 2, timeout = "1" }),
      process.Barrier{ parties = 2.0, timeout = 1.5 }.parties)
    report("sent", process.loads(process.dumps(b)) == b, process.loads(process.dumps(b)):wait(), n)
    report("method", type(b.wait), b.nothing)
  ]]

  it("lets its party pass, after the action", function()
    assert.equal("1 0 false <Barrier waiters=0/1> 0", out.new)
    assert.equal("1 1 1 3", out.wait)
    assert.equal("true 1 4", out.sent)
  end)
  it("is broken by a timeout", function()
    local seconds, rest = out.late:match "^(%S+) (.*)$"
    assert.is_true(tonumber(seconds) >= 0.05)
    assert.equal("nil broken", rest)
    assert.equal("true <Barrier waiters=0/2 broken> nil broken", out.broken)
  end)
  it("is whole again after a reset", function() assert.equal("0 false nil broken", out.reset) end)
  it("is broken by abort", function() assert.equal("nil nil true nil broken", out.abort) end)
  it("has a timeout of its own, which wait may replace", function()
    assert.is_true(tonumber(out["own timeout"]:match "%S+") >= 0.05)
    assert.is_true(tonumber(out["other timeout"]:match "%S+") >= 0.2)
  end)
  it("is broken by an action that fails", function()
    assert.equal("no luck true nil broken", out.failing)
  end)
  it("refuses what makes no sense", function()
    support.mentions(out.wrong, "1 party or more", "number expected", "function expected")
    support.mentions(out.options, "3 4", "part")
    support.mentions(out.field, "field 'parties' must be an integer", "field 'action'",
      "field 'timeout' must be a number of seconds", ") 2")
    assert.equal("function nil", out.method)
  end)
end)

describe("a barrier between processes", function()
  local out = support.fixture [[
    local PARTIES, ROUNDS = 5, 200
    local log, actions = process.Queue(), process.Queue()
    local b = process.Barrier(PARTIES, function() actions:put(log:qsize()) end)
    local ps = {}
    for i = 1, PARTIES do
      ps[i] = process.Process(function()
        for round = 1, ROUNDS do
          log:put(round)
          local index = b:wait()
          actions:put(-index)
        end
      end):start()
    end
    for i = 1, PARTIES do ps[i]:join() end
    local ordered = true
    for k = 1, PARTIES * ROUNDS do
      ordered = ordered and log:get() == (k - 1) // PARTIES + 1
    end
    report("lockstep", ordered, log:empty())
    local count, indices, early = 0, {}, false
    while not actions:empty() do
      local v = actions:get()
      if v < 0 then
        indices[-v] = (indices[-v] or 0) + 1
      else
        count = count + 1
        early = early or v < count * PARTIES
      end
    end
    report("actions", count, early)
    report("indices", table.concat(indices, " "))
    report("after", b.n_waiting, b.broken)
  ]]

  it("keeps them in lockstep", function() assert.equal("true true", out.lockstep) end)
  it("acts once in each round, when all have come and before any goes", function()
    assert.equal("200 false", out.actions)
  end)
  it("gives each its place in the order of arrival", function()
    assert.equal("200 200 200 200 200", out.indices)
  end)
  it("is whole afterwards", function() assert.equal("0 false", out.after) end)
end)

describe("a barrier that breaks", function()
  local out = support.fixture [[
    local b, got = process.Barrier(3), process.Queue()
    local function party(timeout)
      local waiting = b.n_waiting
      local p = process.Process(function() got:put { b:wait(timeout) } end):start()
      eventually(function() return b.n_waiting > waiting end)
      return p
    end
    local function results(n)
      local words = {}
      for i = 1, n do words[i] = tostring(got:get()[2]) end
      return table.concat(words, " ")
    end
    local a, c = party(), party()
    report("waiting", b.n_waiting, tostring(b))
    b:abort()
    report("aborted", results(2), b.broken, b.n_waiting)
    a:join() c:join()
    b:reset()
    a, c = party(), party()
    b:reset()
    report("reset", results(2), b.broken, b.n_waiting)
    a:join() c:join()
    a = party()
    c = process.Process(function() got:put { b:wait(0.05) } end):start()
    report("late", results(2), b.broken)
    a:join() c:join()
    b:reset()
    a, c = party(), party()
    local began = process.now()
    a:kill()
    report("killed", results(1), process.now() - began < 10, b.broken)
    a:join() c:join()
    b:reset()
    a, c = party(), party()
    report("whole", b:wait(), (results(2)))
    a:join() c:join()
    -- The party that acts is killed.
    local acts, there = process.Event(), process.Event()
    local d = process.Barrier(2, function() there:set() acts:wait() end)
    a = process.Process(function() got:put { d:wait() } end):start()
    eventually(function() return d.n_waiting == 1 end)
    c = process.Process(function() got:put { d:wait() } end):start()
    there:wait()
    report("acting", d.n_waiting, d.broken, got:get(0.05))
    c:kill()
    report("actor killed", results(1), d.broken)
    a:join() c:join()
  ]]

  it("counts those who wait", function()
    assert.equal("2 <Barrier waiters=2/3>", out.waiting)
  end)
  it("lets nobody pass after abort", function()
    assert.equal("broken broken true 0", out.aborted)
  end)
  it("breaks only for those who wait, when it is reset", function()
    assert.equal("broken broken false 0", out.reset)
  end)
  it("breaks for all when one is late", function() assert.equal("broken broken true", out.late) end)
  it("breaks at once when a party dies", function()
    assert.equal("broken true true", out.killed)
    assert.equal("3 nil nil", out.whole)
  end)
  it("breaks when the one that acts dies", function()
    assert.equal("0 false nil empty", out.acting)
    assert.equal("broken true", out["actor killed"])
  end)
end)

describe("a barrier whose last party acts", function()
  local out = support.fixture [[
    local go, there = process.Event(), process.Event()
    local got, work = process.Queue(), process.Queue()
    local b = process.Barrier(2, function()
      there:set()
      go:wait()
    end)
    local function party(timeout)
      return process.Process(function() got:put { b:wait(timeout) } end):start()
    end
    local p = party(0.2)
    eventually(function() return b.n_waiting == 1 end)
    local q = party()
    there:wait()
    report("waits on", got:get(0.4))
    report("next", b:wait(0.05))
    report("broken", b.broken)
    go:set()
    p:join() q:join()
    report("passed", got:get()[1] + got:get()[1])
    b:reset()
    go:clear() there:clear()
    p = party()
    eventually(function() return b.n_waiting == 1 end)
    q = party()
    there:wait()
    b:reset()
    report("reset", got:get()[2], b.broken)
    go:set()
    report("the one that acts", got:get()[2], b.broken)
    p:join() q:join()
    -- It is killed after it has waited for something in its action, while its parent is busy.
    local item, waiting = process.Queue(), process.Event()
    local c = process.Barrier(2, function()
      waiting:set()
      item:get()
      there:set()
      while true do end
    end)
    there:clear()
    p = process.Process(function() got:put { c:wait() } end):start()
    eventually(function() return c.n_waiting == 1 end)
    q = process.Process(function() c:wait() end):start()
    waiting:wait()
    process.sleep(0.05)
    item:put(1)
    there:wait()
    local began = process.now()
    os.execute("kill -KILL " .. q.pid)
    while got:empty() and process.now() - began < 30 do end
    report("killed", process.now() - began < 30, got:get()[2])
    p:join() q:join()
    local far = process.Process(function()
      local d = work:get()
      got:put { pcall(d.wait, d, 5) }
      got:put { d:wait(5) }
    end):start()
    local file = io.stdout
    work:put(process.Barrier(1, function() file:write "" end))
    report("not sent", got:get()[2], got:get()[2])
    far:join()
    report("too many", try(process.Barrier, 1 << 60))
  ]]

  it("waits for it beyond the timeout", function()
    assert.equal("nil empty", out["waits on"])
    assert.equal("3", out.passed)
  end)
  it("is broken for the next round alone by one who comes meanwhile", function()
    assert.equal("nil broken", out.next)
    assert.equal("true", out.broken)
  end)
  it("is broken for the round by a reset", function()
    assert.equal("broken false", out.reset)
    assert.equal("broken false", out["the one that acts"])
  end)
  it("breaks at once when that is killed, wherever it is", function()
    assert.equal("true broken", out.killed)
  end)
  it("fails where the action could not be sent", function()
    support.mentions(out["not sent"], "action cannot be sent", "broken")
  end)
  it("has no more parties than a program can have", function()
    support.mentions(out["too many"], "so many processes")
  end)
end)

describe("a barrier that was sent", function()
  local out = support.fixture [[
    local q, done = process.Queue(), process.Queue()
    local p = process.Process(function() -- started before the barrier was made
      local b = q:get()
      done:put(b:wait())
    end):start()
    local b = process.Barrier(2, function()
      done:put("acted in " .. process.current_process().name)
    end)
    q:put(b)
    local first = process.Process(function() b:wait() end)
    eventually(function() return b.n_waiting == 1 end)
    report("last is main", b:wait(), done:get(), done:get())
    p:join()
    p = process.Process{ name = "Late", target = function() done:put(q:get():wait()) end }:start()
    local other = process.Process(function() b:wait() end):start()
    eventually(function() return b.n_waiting == 1 end)
    q:put(b)
    report("last is another", done:get(), done:get())
    p:join() other:join()
  ]]

  it("acts wherever the last party is", function()
    assert.equal("2 acted in MainProcess 1", out["last is main"])
    assert.equal("acted in Late 2", out["last is another"])
  end)
end)
