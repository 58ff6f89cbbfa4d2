-- JoinableQueue, and Queue with the option lost: items that count until they are finished, and what becomes of
-- those of the dead.

local support = require "spec.support"

describe("a joinable queue", function()
  local out = support.fixture [[
    local q = process.JoinableQueue()
    report("new", q:empty(), q:full(), q:qsize(), q:join(), q:join(0))
    report("shown", (tostring(q):gsub("0x%x+", "ADDRESS")))
    q:put(1); q:put("two"); q:put{ 3 }; q:put(nil)
    report("waits", q:join(0))
    report("at least", fx.timed(q.join, q, 0.05) >= 0.05)
    report("results", select("#", q:get()), (q:get()), q:get()[1], select("#", q:get()))
    report("taken", q:qsize(), q:join(0))
    for i = 1, 3 do q:task_done() end
    report("one left", (tostring(q):gsub("0x%x+", "ADDRESS")), q:join(0))
    report("nothing to say", select("#", q:task_done()))
    report("done", q:join())
    report("too many", try(q.task_done, q))
    q:put(1)
    report("not yet got", try(q.task_done, q))
    report("arguments", try(q.task_done, q, 1))
    report("bounded", process.JoinableQueue(1):put(1), process.JoinableQueue{ maxsize = 1, name = "n" })
    local small = process.JoinableQueue{ maxsize = 1 }
    report("full", small:put(1), small:full(), small:put(2, false))
    small:get()
    report("room again", small:put(2, false))
    report("options", try(process.JoinableQueue, { lost = "found" }))
    report("of no string", try(process.JoinableQueue, { lost = true }))
    q:close()
    report("closed", try(q.put, q, 1))
    report("closed get", try(q.get, q))
    report("closed join", try(q.join, q))
    report("join_thread", select("#", q:join_thread(), q:cancel_join_thread()))
  ]]

  it("is a queue", function()
    assert.equal("true false 0 true true", out.new)
    assert.equal("<JoinableQueue at ADDRESS size=0 unfinished=0>", out.shown)
    assert.equal("1 two 3 1", out.results)
    assert.equal("0", out.join_thread)
  end)
  it("joins when every item is finished, not when every item is got", function()
    assert.equal("nil timeout", out.waits)
    assert.equal("true", out["at least"])
    assert.equal("0 nil timeout", out.taken)
    assert.equal("<JoinableQueue at ADDRESS size=0 unfinished=1> nil timeout", out["one left"])
    assert.equal("0", out["nothing to say"])
    assert.equal("true", out.done)
  end)
  it("does not finish more than was got", function()
    support.mentions(out["too many"], "task_done() called too many times", "once after each get")
    support.mentions(out["not yet got"], "called too many times")
    support.mentions(out.arguments, "no such argument")
  end)
  it("may be bounded", function() assert.equal("true true nil full", out.full) end)
  it("has room for the next item when one is got", function()
    assert.equal("true", out["room again"])
  end)
  it("takes options", function()
    assert.truthy(out.bounded:match "^true <JoinableQueue at 0x%x+ size=0 maxsize=1 unfinished=0>$")
    support.mentions(out.options, "'lost' must be 'requeue' or 'drop'")
    support.mentions(out["of no string"], "'lost' must be 'requeue' or 'drop'")
  end)
  it("can be closed", function()
    for _, call in ipairs { "closed", "closed get", "closed join" } do
      support.mentions(out[call], "is closed")
    end
  end)
end)

describe("a joinable queue between processes", function()
  local out = support.fixture [[
    local q, sum = process.JoinableQueue(), process.Queue()
    local function work()
      while true do
        sum:put(q:get())
        q:task_done()
      end
    end
    local ps = {}
    for i = 1, 4 do ps[i] = process.Process{ target = work, daemon = true }:start() end
    for i = 1, 1000 do q:put(i) end
    report("joined", q:join(60), q:qsize(), sum:qsize())
    local total = 0
    for i = 1, 1000 do total = total + sum:get() end
    report("sum", total)
    for i, p in ipairs(ps) do fx.asleep(p.pid) end
    q:put_many{ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }
    report("again", q:join(60), sum:qsize())
    for i, p in ipairs(ps) do p:terminate() end

    local carrier = process.Queue()
    local sent = process.JoinableQueue()
    carrier:put{ sent }
    local p = process.Process(function()
      local arrived = carrier:get()[1]
      arrived:put(tostring(arrived):match "^<(%a+)")
      process.sleep(0.02)
      report("arrived", arrived:get())
      arrived:task_done()
    end):start()
    p:join()
    report("same", sent:join(0), sent:qsize())

    sent:put "work"
    local got, go = process.Event(), process.Event()
    p = process.Process(function() sent:get(); got:set(); go:wait() end):start()
    got:wait()
    report("taken", sent:join(0))
    sent:task_done()
    report("finished by another", sent:join(0))
    go:set()
    p:join()
    report("once", sent:qsize(), sent:join(0))
  ]]

  it("waits for its workers", function()
    assert.equal("true 0 1000", out.joined)
    assert.equal("500500", out.sum)
    assert.equal("true 20 "):match ".*" end)
end)
