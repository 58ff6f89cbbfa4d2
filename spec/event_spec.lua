-- Event: a flag that processes wait for.

local support = require "spec.support"

describe("an event", function()
  local out = support.fixture [[
    local e = process.Event()
    local function waits(...)
      local ok, word = e:wait(...)
      return ok and true or false, word
    end
    report("new", e:is_set(), (tostring(e):gsub("0x%x+", "ADDRESS")))
    report("zero", waits(0))
    report("negative", waits(-1))
    report("waited", fx.timed(waits, 0.05) >= 0.05)
    report("timeout", waits(0.01))
    local long = process.Process(e.set, e):start()
    report("long", e:wait(math.huge), e:wait(1e300), e:wait(1e10))
    long:join()
    e:clear()
    report("set", select("#", e:set()), e:is_set(), (tostring(e):gsub("0x%x+", "ADDRESS")))
    report("waits", e:wait(), e:wait(0), e:wait(10), e:wait(-1))
    report("results", select("#", e:wait()))
    e:set()
    report("set twice", e:is_set())
    report("clear", select("#", e:clear()), e:is_set(), waits(0))
    e:clear()
    report("cleared twice", e:is_set())
    e:set()
    report("again", e:wait())
  ]]

  it("is not set when new", function() assert.equal("false <Event at ADDRESS unset>", out.new) end)
  it("does not wait with a timeout of 0 or less", function()
    assert.equal("false timeout", out.zero)
    assert.equal("false timeout", out.negative)
  end)
  it("waits no less than the timeout", function()
    assert.equal("true", out.waited)
    assert.equal("false timeout", out.timeout)
  end)
  it("takes any number for a timeout", function() assert.equal("true true true", out.long) end)
  it("stays set, however often it is waited for", function()
    assert.equal("0 true <Event at ADDRESS set>", out.set)
    assert.equal("true true true true", out.waits)
    assert.equal("1", out.results)
  end)
  it("is reset by clear", function() assert.equal("0 false false timeout", out.clear) end)
  it("may be set and cleared again", function()
    assert.equal("true", out["set twice"])
    assert.equal("false", out["cleared twice"])
    assert.equal("true", out.again)
  end)
end)

describe("an event between processes", function()
  local out = support.fixture [[
    local e, done = process.Event(), process.Queue()
    local ps = {}
    for i = 1, 6 do
      ps[i] = process.Process(function() done:put(e:wait()) end):start()
    end
    for _, p in ipairs(ps) do fx.asleep(p.pid) end
    report("asleep", done:empty())
    e:set()
    local all = true
    for _ = 1, #ps do all = all and done:get() == true end
    report("woken", all)
    for _, p in ipairs(ps) do p:join() end

    e:clear()
    local p = process.Process(function() e:set() end):start()
    report("set by a child", e:wait(), e:is_set())
    p:join()

    local a, b = process.Event(), process.Event()
    p = process.Process(function()
      for _ = 1, 200 do
        a:wait()
        a:clear()
        b:set()
      end
    end):start()
    for _ = 1, 200 do
      a:set()
      b:wait()
      b:clear()
    end
    report("ping-pong", p:join(), p.exitcode)

    local q = process.Queue()
    q:put{ event = process.Event() }
    collectgarbage()
    local sent = q:get().event
    process.Process(function(event) event:set() end, sent):start():join()
    report("sent", sent:is_set())
  ]]

  it("keeps all waiting until it is set, then wakes them all", function()
    assert.equal("true", out.asleep)
    assert.equal("true", out.woken)
  end)
  it("may be set by any process", function() assert.equal("true true", out["set by a child"]) end)
  it("carries signals to and fro, none lost", function()
    assert.equal("true 0", out["ping-pong"])
  end)
  it("travels through a queue", function() assert.equal("true", out.sent) end)
end)

describe("the death of", function()
  local out = support.fixture [[
    local e, done = process.Event(), process.Queue()
    local ps = {}
    for i = 1, 4 do
      ps[i] = process.Process(function() e:wait(); done:put(i) end):start()
    end
    for _, p in ipairs(ps) do fx.asleep(p.pid) end
    ps[2]:kill()
    ps[2]:join()
    report("set", e:set())
    report("others", done:get() + done:get() + done:get())
    for _, p in ipairs(ps) do p:join() end
    local moments = 0
    for i = 1, 60 do
      e:clear()
      local waiter = process.Process(function() e:wait() end):start()
      local p = process.Process(function() while true do e:set(); e:clear() end end):start()
      local moment = process.now() + 0.0005 + (i % 10) * 0.0002
      while process.now() < moment do end
      p:kill()
      e:set()
      if waiter:join(30) and waiter.exitcode == 0 then moments = moments + 1 end
      p:join()
    end
    report("setters", moments, e:is_set())
  ]]

  it("a waiter does not hold up the others", function()
    assert.equal("", out.set)
    assert.equal("8", out.others)
  end)
  it("a setter at any moment leaves the event working", function()
    assert.equal("60 true", out.setters)
  end)
end)

describe("waits", function()
  local out = support.fixture [[
    local e, ready = process.Event(), process.Event()
    local p = process.Process(function()
      ready:set()
      local seconds, ok = fx.timed(e.wait, e, 0.3)
      report("timed", seconds >= 0.3, ok and true or false)
      ready:set()
      report("untimed", e:wait())
    end):start()
    for i = 1, 2 do
      ready:wait()
      ready:clear()
      for _ = 1, 3 do
        os.execute("kill -STOP " .. p.pid)
        eventually(function() return fx.state(p.pid) == "T" end)
        os.execute("kill -CONT " .. p.pid)
        eventually(function() return fx.state(p.pid) ~= "T" end)
      end
    end
    e:set()
    p:join()
    report("exitcode", p.exitcode)
  ]]

  it("go on after a stop and a continue", function()
    assert.equal("true false", out.timed)
    assert.equal("true", out.untimed)
    assert.equal("0", out.exitcode)
  end)
end)
