-- Queue: its calls in one process and between two, order, and when they wait.

local support = require "spec.support"

describe("a queue with room for six", function()
  local out = support.fixture [[
    local q = process.Queue(6)
    report("new", q:empty(), q:full(), q:qsize())
    report("puts", q:put(1), q:put(2, true), q:put(3, true, nil), q:put(4, false),
      q:put(5, false, nil), q:put_nowait(6))
    report("filled", q:empty(), q:full(), q:qsize())
    report("no wait", q:put(7, false))
    report("nil timeout", q:put(7, false, nil))
    report("nowait", q:put_nowait(7))
    report("timeout ignored", q:put(7, false, 1000))
    report("waited", fx.timed(q.put, q, 7, true, 0.05) >= 0.05)
    report("timeout", q:put(7, true, 0.01))
    report("lone timeout", q:put(7, 0.01))
    report("block nil", q:put(7, nil, 0.01))
    report("zero", q:put(7, 0))
    report("negative", q:put(7, -1), q:put(7, true, -1))
    local taken = process.Queue()
    process.Process(function()
      for _ = 1, 6 do taken:put(q:get()) end
    end):start():join()
    report("taken", table.concat(taken:get_many(10), " "))
    report("emptied", q:empty(), q:full(), q:qsize())
    report("again", q:put(8), q:get())
    report("results", select("#", q:put(9)), select("#", q:get()))
  ]]

  it("is empty when new", function() assert.equal("true false 0", out.new) end)
  it("takes six items, by any form of put", function()
    assert.equal("true true true true true true", out.puts)
    assert.equal("false true 6", out.filled)
  end)
  it("refuses the seventh at once without block, whatever the timeout", function()
    for _, form in ipairs { "no wait", "nil timeout", "nowait", "timeout ignored" } do
      assert.equal("nil full", out[form])
    end
  end)
  it("refuses the seventh when the timeout has passed, not earlier", function()
    assert.equal("true", out.waited)
    for _, form in ipairs { "timeout", "lone timeout", "block nil" } do
      assert.equal("nil full", out[form])
    end
  end)
  it("takes 0 and less for no wait", function()
    assert.equal("nil full", out.zero)
    assert.equal("nil nil full", out.negative)
  end)
  it("is emptied by another process, in order", function()
    assert.equal("1 2 3 4 5 6", out.taken)
    assert.equal("true false 0", out.emptied)
    assert.equal("true 8", out.again)
  end)
  it("says one thing a call", function() assert.equal("1 1", out.results) end)
end)

describe("get", function()
  local out = support.fixture [[
    local q, go, filled = process.Queue(), process.Event(), process.Event()
    local p = process.Process(function()
      go:wait()
      for i = 2, 9 do q:put(i) end
      filled:set()
    end):start()
    report("no wait", q:get(false))
    report("nil timeout", q:get(false, nil))
    report("nowait", q:get_nowait())
    report("timeout ignored", q:get(false, 1000))
    report("waited", fx.timed(q.get, q, true, 0.2) >= 0.2)
    report("timeout", q:get(true, 0.01))
    report("lone timeout", q:get(0.01))
    report("block nil", q:get(nil, 0.01))
    report("zero", q:get(0))
    report("negative", q:get(-1), (q:get(true, -1)))
    report("empty", q:empty(), q:qsize())
    go:set()
    filled:wait()
    report("filled", q:empty(), q:full(), q:qsize())
    report("forms", q:get(true, nil), q:get(true), q:get(true, 1), q:get(1), q:get(0),
      q:get_nowait(), q:get(false), q:get())
    report("end", q:empty(), q:get(false))
    p:join()
  ]]

  it("is refused at once without block, whatever the timeout", function()
    for _, form in ipairs { "no wait", "nil timeout", "nowait", "timeout ignored" } do
      assert.equal("nil empty", out[form])
    end
  end)
  it("waits no less than the timeout", function()
    assert.equal("true", out.waited)
    for _, form in ipairs { "timeout", "lone timeout", "block nil" } do
      assert.equal("nil empty", out[form])
    end
  end)
  it("takes 0 and less for no wait", function()
    assert.equal("nil empty", out.zero)
    assert.equal("nil nil", out.negative)
  end)
  it("gives what another process put, in order, by any form", function()
    assert.equal("true 0", out.empty)
    assert.equal("false false 8", out.filled)
    assert.equal("2 3 4 5 6 7 8 9", out.forms)
    assert.equal("true nil empty", out["end"])
  end)
end)

describe("a queue without bound", function()
  local out = support.fixture [[
    local q, zero = process.Queue(), process.Queue(0)
    local all = true
    for i = 1, 20000 do all = all and q:put(i) == true and zero:put(i, false) == true end
    report("takes", all, q:qsize(), q:full(), zero:full())
    local ordered = true
    for i = 1, 20000 do ordered = ordered and q:get() == i and zero:get(false) == i end
    report("gives", ordered, q:empty(), zero:empty())
    report("repr", tostring(q))
  ]]

  it("takes any number and is never full", function()
    assert.equal("true 20000 false false", out.takes)
  end)
  it("gives them in order", function() assert.equal("true true true", out.gives) end)
  it("shows as a queue", function() assert.matches("^<Queue", out.repr) end)
end)

describe("nil and false", function()
  local out = support.fixture [[
    local q = process.Queue()
    q:put(nil)
    q:put(false)
    q:put(nil, false)
    q:put_nowait(nil)
    report("size", q:qsize())
    report("results", select("#", q:get()))
    report("false", q:get(), q:empty())
    report("nil", q:get(), select("#", q:get(1)))
    report("end", q:get(false))
  ]]

  it("are values like any other", function()
    assert.equal("4", out.size)
    assert.equal("1", out.results)
    assert.equal("false false", out["false"])
    assert.equal("nil 1", out["nil"])
    assert.equal("nil empty", out["end"])
  end)
end)

describe("values", function()
  local out = support.fixture [[
    local q, back = process.Queue(), process.Queue()
    local echo = process.Process(function()
      for v in q:items() do back:put(v) end
    end):start()
    local function through(v)
      q:put(v)
      return back:get()
    end
    local max, min = math.maxinteger, math.mininteger
    for _, n in ipairs{ 0, -1, max, min, 1.0, 0.1, -0.0, 1/0, -1/0, 2^53 } do
      local got = through(n)
      local same = got == n and math.type(got) == math.type(n) and 1 / got == 1 / n
      if not same then report("number", n, got) end
    end
    local nan = through(0/0)
    report("nan", nan ~= nan)
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    bytes = table.concat(bytes)
    local long = bytes:rep(100)
    report("strings", through("") == "", through(bytes) == bytes, through(long) == long)
    report("booleans", through(true), through(false))
    local t = { 1, 2, { deep = { "er" } }, [2.5] = "float", [true] = "yes" }
    t.self = t
    t.twice = { t[3], t[3] }
    local got = through(t)
    report("table", got[1], got[2], got[3].deep[1], got[2.5], got[true])
    report("cycle", got.self == got, got.twice[1] == got.twice[2], got[3] == got.twice[1], got ~= t)
    local n = 10
    local function add(x) n = n + x; return n end
    local sent = through(add)
    report("closure", sent(1), sent(1), add(1))
    report("by name", through(print) == print, through(string) == string,
      through(math.sin) == math.sin)
    q:shutdown()
    echo:join()
    report("end", echo.exitcode)
  ]]

  it("of every kind of number arrive as they are", function()
    assert.equal("0", out["end"])
    assert.equal(0, support.count(out().stdout, "number\t"))
    assert.equal("true", out.nan)
  end)
  it("of all bytes arrive as they are", function() assert.equal("true true true", out.strings) end)
  it("arrive: booleans", function() assert.equal("true false", out.booleans) end)
  it("arrive: tables as copies, sharing and cycles kept", function()
    assert.equal("1 2 er float yes", out.table)
    assert.equal("true true true true", out.cycle)
  end)
  it("arrive: functions with copies of their upvalues", function()
    assert.equal("11 12 11", out.closure)
  end)
  it("arrive: C functions and modules as the receiver's own", function()
    assert.equal("true true true", out["by name"])
  end)
end)

describe("what cannot be sent", function()
  local out = support.fixture [[
    local q = process.Queue(1)
    local co = coroutine.create(print)
    report("itself", try(q.put, q, co))
    report("nested", try(q.put, q, { jobs = { 1, 2, { co = co } } }))
    report("file", try(q.put, q, { out = io.stdout }))
    report("nowait", try(q.put_nowait, q, co))
    report("many", try(q.put_many, q, { 1, { co = co } }))
    report("state", q:qsize(), q:empty(), q:full())
    report("usable", q:put("fine", true, 1), q:qsize(), q:get(), q:empty())
  ]]

  it("raises at the sender and names the path", function()
    support.mentions(out.itself, "cannot send a thread")
    support.mentions(out.nested, "cannot send a thread: at value.jobs[3].co")
    support.mentions(out.file, "cannot send", "value.out")
    support.mentions(out.nowait, "cannot send a thread")
    support.mentions(out.many, "cannot send a thread", "[2].co")
  end)
  it("takes no place in the queue", function() assert.equal("0 true false", out.state) end)
  it("leaves the queue usable", function() assert.equal("true 1 fine true", out.usable) end)
end)

describe("a closed queue", function()
  local out = support.fixture [[
    local q = process.Queue()
    q:put "kept"
    report("join_thread", select("#", q:join_thread()), select("#", q:cancel_join_thread()))
    report("still open", q:qsize())
    local go = process.Event()
    local p = process.Process(function()
      go:wait()
      report("elsewhere", q:put("more"), q:get(), q:get(), q:qsize())
    end):start()
    report("close", select("#", q:close()), select("#", q:close()))
    report("put", try(function() q:put(1) end))
    report("put_nowait", try(function() q:put_nowait(1) end))
    report("put_many", try(function() q:put_many{ 1 } end))
    report("get", try(function() q:get() end))
    report("get_nowait", try(function() q:get_nowait() end))
    report("get_many", try(function() q:get_many(1) end))
    report("qsize", try(function() q:qsize() end))
    report("empty", try(function() q:empty() end))
    report("full", try(function() q:full() end))
    report("shutdown", try(function() q:shutdown() end))
    report("items", try(function() q:items() end))
    report("closed", select("#", q:join_thread()), select("#", q:cancel_join_thread()))
    go:set()
    p:join()
    local unused = process.Queue()
    unused:close()
    unused:join_thread()
    report("unused", try(unused.get, unused))
  ]]

  local methods = "put put_nowait get get_nowait put_many get_many qsize empty full shutdown items"
  for method in methods:gmatch "[%a_]+" do
    it("refuses " .. method, function() support.mentions(out[method], method, "is closed") end)
  end
  it("may be closed twice", function() assert.equal("0 0", out.close) end)
  it("is closed for this process alone", function()
    assert.equal("true kept more 0", out.elsewhere)
  end)
  it("need not have been used", function() support.mentions(out.unused, "is closed") end)
  it("has calls that do nothing, before and after", function()
    assert.equal("0 0", out.join_thread)
    assert.equal("1", out["still open"])
    assert.equal("0 0", out.closed)
  end)
end)

describe("items put before and after a fork", function()
  local out = support.fixture [[
    local q = process.Queue()
    for i = 0, 9 do q:put(i) end
    local p = process.Process(function()
      for i = 10, 19 do q:put(i) end
    end):start()
    p:join()
    local list = {}
    for i = 1, 20 do list[i] = q:get() end
    report("list", table.concat(list, " "))
    report("end", q:get(0.05))
    report("state", q:empty())
    local seen = process.Queue()
    process.Process(function()
      seen:put(seen:empty())
      seen:put(seen:empty())
    end):start():join()
    report("seen", seen:get(), seen:empty(), seen:get(), seen:empty())
  ]]

  it("come each once, in order", function()
    assert.equal("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19", out.list)
    assert.equal("nil empty", out["end"])
    assert.equal("true", out.state)
  end)
  it("are seen by every process at once", function()
    assert.equal("true false false true", out.seen)
  end)
end)
