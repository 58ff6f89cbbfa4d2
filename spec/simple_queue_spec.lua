-- SimpleQueue: four methods and no options.

local support = require "spec.support"

describe("a simple queue", function()
  local out = support.fixture [[
    local q, answers = process.SimpleQueue(), process.SimpleQueue()
    report("new", q:empty())
    local go = process.Event()
    local p = process.Process(function()
      go:wait()
      answers:put(q:empty())
      answers:put(q:empty())
      q:put(q:empty())
      q:put(q:empty())
      answers:put "filled"
    end):start()
    go:set()
    report("child", answers:get(), answers:get(), answers:get())
    report("filled", q:empty())
    report("got", q:get(), q:get(), q:empty())
    p:join()
    report("nil", q:put(nil), select("#", q:get()))
    report("order", q:put(1), q:put{ 2 }, q:put(("x"):rep(100000)), q:get(), q:get()[1], #q:get())
    report("shown", (tostring(q):gsub("0x%x+", "ADDRESS")))
    report("no options", try(process.SimpleQueue, 3), try(process.SimpleQueue, { maxsize = 3 }))
    report("named", process.SimpleQueue{ name = "n" } ~= nil)
    report("no timeout", try(q.get, q, 1), try(q.put, q, 1, false))
    report("methods", q.qsize, q.get_nowait, q.join, q.shutdown)
    q:put(answers)
    report("sent", q:get() == answers)
    local waiting = process.Process(function() answers:put(q:get()) end):start()
    fx.asleep(waiting.pid)
    q:put "awaited"
    report("waits", answers:get())
    waiting:join()
    local other = process.Process(function() q:close(); q:close() end):start()
    other:join()
    report("others go on", other.exitcode, q:put "x", q:get())
    do
      local scope <close> = q
    end
    report("close", select("#", q:close()), select("#", q:close()))
    for _, call in ipairs{ "empty", "get", "put" } do report(call, try(q[call], q, "v")) end
    report("given up", tostring(q):match "^<SimpleQueue")
  ]]

  it("tells parent and child whether it is empty", function()
    assert.equal("true", out.new)
    assert.equal("true true filled", out.child)
    assert.equal("false", out.filled)
    assert.equal("true false true", out.got)
  end)
  it("keeps whatever is put, in order", function()
    assert.equal("true 1", out["nil"])
    assert.equal("true true true 1 2 100000", out.order)
    assert.equal("awaited", out.waits)
    assert.equal("true", out.sent)
  end)
  it("has nothing else", function()
    support.mentions(out["no options"], "table expected", "unknown option 'maxsize'")
    support.mentions(out["no timeout"], "no such argument")
    assert.equal("nil nil nil nil", out.methods)
    assert.equal("true", out.named)
    assert.equal("<SimpleQueue at ADDRESS size=0>", out.shown)
  end)
  it("can be closed twice, and is closed then, in this process", function()
    assert.equal("0 true x", out["others go on"])
    assert.equal("0 0", out.close)
    for _, call in ipairs { "empty", "get", "put" } do support.mentions(out[call], "is closed") end
  end)
end)

describe("the options of a queue", function()
  local out = support.fixture [[
    report("without a name", process.Queue{ maxsize = 1 }:put(1), process.Lock{} ~= nil)
  ]]

  it("need not have a name", function() assert.equal("true true", out["without a name"]) end)
end)
