-- Semaphore and BoundedSemaphore: tokens.

local support = require "spec.support"

describe("a semaphore", function()
  local out = support.fixture [[
    local s = process.Semaphore(2)
    report("new", s:get_value(), tostring(s), process.Semaphore():get_value())
    report("taken", s:acquire(), s:get_value(), s:acquire(false), s:get_value())
    report("refused", s:acquire(false))
    report("refused with timeout", s:acquire(false, 5))
    report("late", fx.timed(s.acquire, s, true, 0.05) >= 0.05, s:acquire(0.01))
    report("negative", s:acquire(-1))
    report("release", select("#", s:release()), s:get_value())
    s:release()
    s:release()
    report("more", s:get_value())
    report("with", s:with(function() return s:get_value() end), s:get_value())
    do
      local held <close> = s:hold()
      report("hold", s:get_value())
    end
    report("closed", s:get_value())
    report("equal", s == process.loads(process.dumps(s)))
    report("wrong", try(process.Semaphore, -1), try(process.Semaphore, "many"))
    report("options", process.Semaphore{ value = 7, name = "seats" }:get_value(),
      try(process.Semaphore, { valu = 1 }))
    report("empty", process.Semaphore(0):acquire(false))
  ]]

  it("has as many tokens as it was made with, by default one", function()
    assert.equal("2 <Semaphore(value=2)> 1", out.new)
    assert.equal("false timeout", out.empty)
  end)
  it("gives one to each acquire", function() assert.equal("true 1 true 0", out.taken) end)
  it("refuses at once without block, and after the timeout with it", function()
    assert.equal("false timeout", out.refused)
    assert.equal("false timeout", out["refused with timeout"])
    assert.equal("true false timeout", out.late)
    assert.equal("false timeout", out.negative)
  end)
  it("gets them back, and more", function()
    assert.equal("0 1", out.release)
    assert.equal("3", out.more)
  end)
  it("has with and hold", function()
    assert.equal("2 3", out.with)
    assert.equal("2", out.hold)
    assert.equal("3", out.closed)
  end)
  it("is the same object after it was sent", function() assert.equal("true", out.equal) end)
  it("refuses what is no number of tokens", function()
    support.mentions(out.wrong, "0 tokens or more", "number expected")
    support.mentions(out.options, "7", "valu")
  end)
end)

describe("a bounded semaphore", function()
  local out = support.fixture [[
    local s = process.BoundedSemaphore(2)
    report("full", try(s.release, s), s:get_value(), tostring(s))
    report("used", s:acquire(), s:acquire(), s:acquire(false))
    s:release()
    s:release()
    report("again", try(s.release, s), s:get_value())
    report("options", process.BoundedSemaphore{ value = 3 }, process.Semaphore{})
    report("sent", tostring(process.loads(process.dumps(s))))
    report("of one", try(function() process.BoundedSemaphore(1):release() end))
    report("misused", try(s.acquire, 5), try(s.acquire, s, "x"))
    local sem = process.Semaphore(0)
    report("either", s:acquire(), sem.release(s), s:get_value(), try(sem.acquire, 5))
    local m = process.Manager()
    local ms = m:BoundedSemaphore(1)
    m:shutdown()
    report("over", ms, try(ms.acquire, ms))
  ]]

  it("never has more tokens than at first", function()
    support.mentions(out.full, "BoundedSemaphore", "released more often",
      "2 <BoundedSemaphore(value=2, maxvalue=2)>")
    support.mentions(out.again, "released more often")
    assert.equal("true true false timeout", out.used)
    assert.equal("<BoundedSemaphore(value=2, maxvalue=2)>", out.sent)
    assert.equal("<BoundedSemaphore(value=3, maxvalue=3)> <Semaphore(value=1)>", out.options)
  end)
  it("goes by its own name everywhere", function()
    support.mentions(out["of one"], "BoundedSemaphore: ", "never has more than 1 token)")
    support.mentions(out.misused, "'process.BoundedSemaphore.acquire' (BoundedSemaphore expected, ",
      "#2 to 'process.BoundedSemaphore.acquire'")
    support.mentions(out.either, "true nil 2 ", "(Semaphore expected, got number)")
    support.mentions(out.over, "<BoundedSemaphore: manager is shut down>",
      "BoundedSemaphore: manager is shut down")
  end)
end)

describe("a semaphore between processes", function()
  local out = support.fixture [[
    local s, ready, got = process.Semaphore(0), process.Queue(), process.Queue()
    local ps = {}
    for i = 1, 6 do
      ps[i] = process.Process(function()
        ready:put(process.getpid())
        got:put(s:acquire() and i)
      end):start()
    end
    for i = 1, 6 do fx.asleep(ready:get()) end
    report("none", got:get(0))
    for i = 1, 2 do s:release() end
    local first, second = got:get(), got:get()
    report("two", first ~= second, got:get(0.05))
    local asleep = 1
    while asleep == first or asleep == second do asleep = asleep + 1 end
    ps[asleep]:kill()
    ps[asleep]:join()
    for i = 1, 3 do s:release() end
    local n = 0
    for i = 1, 6 do
      if ps[i]:join(30) and ps[i].exitcode == 0 then n = n + 1 end
    end
    report("others", n, s:get_value())
  ]]

  it("wakes as many as there are tokens", function()
    assert.equal("nil empty", out.none)
    assert.equal("true nil empty", out.two)
  end)
  it("is not disturbed by a waiter that is killed", function()
    assert.equal("5 0", out.others)
  end)
end)
