-- RLock: a lock that its holder may take again.

local support = require "spec.support"

describe("a recursive lock", function()
  local out = support.fixture [[
    local r = process.RLock()
    report("new", r:locked(), r:abandoned(), tostring(r))
    report("thrice", r:acquire(), r:acquire(false), r:acquire(true, 1))
    report("held", r:locked(), tostring(r))
    r:release()
    r:release()
    report("still held", r:locked(), tostring(r))
    report("last", select("#", r:release()), r:locked(), tostring(r))
    report("unheld", try(r.release, r))
    report("with", r:with(function(...) return r:acquire(), r:release(), ... end, 1, 2))
    report("freed", r:locked())
    local message = try(r.with, r, function() r:acquire() error("inside", 0) end)
    report("error", message, tostring(r))
    r:release()
    do
      local held <close> = r:hold()
      local again <close> = r:hold(1)
      report("hold", tostring(r))
    end
    report("closed", r:locked(), r == process.loads(process.dumps(r)))
    report("name", tostring(process.RLock{ name = "books" }), try(process.RLock, { nam = 1 }))
  ]]

  it("is free when new", function() assert.equal("false false <RLock(None, 0)>", out.new) end)
  it("is taken by its holder again", function()
    assert.equal("true true true", out.thrice)
    assert.equal("true <RLock(MainProcess, 3)>", out.held)
  end)
  it("is free after as many releases", function()
    assert.equal("true <RLock(MainProcess, 1)>", out["still held"])
    assert.equal("0 false <RLock(None, 0)>", out.last)
  end)
  it("cannot be released when free", function()
    support.mentions(out.unheld, "release", "RLock", "hold")
  end)
  it("has with and hold", function()
    assert.equal("true nil 1 2", out.with)
    assert.equal("false", out.freed)
    assert.equal("inside <RLock(MainProcess, 1)>", out.error)
    assert.equal("<RLock(MainProcess, 2)>", out.hold)
    assert.equal("false true", out.closed)
  end)
  it("takes a name, and no unknown option", function()
    support.mentions(out.name, "<RLock(None, 0)>", "nam")
  end)
end)

describe("a recursive lock between processes", function()
  local out = support.fixture [[
    local r, held, go = process.RLock(), process.Event(), process.Event()
    local p = process.Process{ name = "Holder", target = function()
      r:acquire()
      r:acquire()
      held:set()
      go:wait()
      r:release()
      r:release()
    end }:start()
    held:wait()
    report("seen", r:locked(), tostring(r), r:acquire(false))
    report("not mine", try(r.release, r))
    go:set()
    report("got", r:acquire())
    r:release()
    p:join()
    process.Process(function() r:acquire() r:acquire() fx.die "KILL" end):start():join()
    report("dead", r:locked(), r:abandoned())
    report("taken over", r:acquire(), tostring(r), r:abandoned())
    r:release()
    report("ordinary", r:abandoned(), r:locked(), r:acquire())
    r:release()
    local n, total = process.Queue(), 0
    local ps = {}
    for i = 1, 4 do
      ps[i] = process.Process(function()
        for _ = 1, 200 do
          r:acquire() r:acquire()
          local v = n:get(false) or 0
          n:put(v + 1)
          r:release() r:release()
        end
      end):start()
    end
    for i = 1, 4 do ps[i]:join() end
    report("excluded", n:get(), n:qsize())
  ]]

  it("is seen locked everywhere", function()
    assert.equal("true <RLock(Holder, 2)> false timeout", out.seen)
  end)
  it("is released by its holder only", function() support.mentions(out["not mine"], "hold") end)
  it("goes to a waiter", function() assert.equal("true", out.got) end)
  it("is abandoned by a holder that died, however often it held it", function()
    assert.equal("true true", out.dead)
    assert.equal("true <RLock(MainProcess, 1)> true", (out["taken over"]:gsub(" abandoned", "", 1)))
    assert.equal("false false true", out.ordinary)
  end)
  it("excludes the others", function() assert.equal("800 0", out.excluded) end)
end)
