-- Queue: many items in one call, and the shutdown.

local support = require "spec.support"

describe("put_many and get_many", function()
  local out = support.fixture [[
    local q = process.Queue()
    report("put", q:put_many{ 1, 2, 3, 4, 5 })
    report("size", q:qsize())
    report("some", table.concat(q:get_many(2), " "))
    report("rest", table.concat(q:get_many(10), " "))
    report("empty", q:get_many(10, false))
    report("zero", q:get_many(10, 0))
    report("waited", fx.timed(q.get_many, q, 10, true, 0.05) >= 0.05)
    report("timeout", q:get_many(10, 0.01))
    report("block and timeout", q:get_many(10, true, 0.01))
    report("nothing", q:put_many{}, q:qsize())
    q:put(1)
    q:put_many{ 2, 3 }
    q:put(4)
    report("mixed", q:get(), table.concat(q:get_many(2), " "), q:get())
    q:put_many{ n = 4, nil, "b", nil, nil }
    local list = q:get_many(10)
    report("nils", list.n, list[1], list[2], list[3], list[4])
    q:put_many{ { a = 1 }, { a = 2 } }
    list = q:get_many(2)
    report("tables", #list, list[1].a, list[2].a)
    local late = process.Process(function()
      fx.asleep(process.getppid())
      q:put_many{ "late", "later" }
    end):start()
    local first = q:get_many(100)
    report("late", first[1], #first >= 1)
    late:join()
  ]]

  it("put all of a list, and take what is there", function()
    assert.equal("true", out.put)
    assert.equal("5", out.size)
    assert.equal("1 2", out.some)
    assert.equal("3 4 5", out.rest)
  end)
  it("find the queue empty as get does", function()
    assert.equal("true", out.waited)
    for _, form in ipairs { "empty", "zero", "timeout", "block and timeout" } do
      assert.equal("nil empty", out[form])
    end
  end)
  it("wait for the first item only", function() assert.equal("late true", out.late) end)
  it("have nothing to do for an empty list", function() assert.equal("true 0", out.nothing) end)
  it("mix with put and get", function() assert.equal("1 2 3 4", out.mixed) end)
  it("keep nils", function() assert.equal("4 nil b nil nil", out.nils) end)
  it("move tables", function() assert.equal("2 1 2", out.tables) end)
end)

describe("put_many into a bounded queue", function()
  local out = support.fixture [[
    local q, results = process.Queue(3), process.Queue()
    report("fits", q:put_many{ 1, 2, 3 })
    report("full", q:full(), q:qsize())
    q:get_many(3)
    local list = {}
    for i = 1, 50 do list[i] = i end
    local p = process.Process(function() results:put(q:put_many(list)) end):start()
    eventually(function() return q:full() end)
    fx.asleep(p.pid)
    local got, most = {}, 0
    while #got < 50 do
      most = math.max(most, q:qsize())
      for _, v in ipairs(q:get_many(2)) do got[#got + 1] = v end
    end
    local ordered = true
    for i = 1, 50 do ordered = ordered and got[i] == i end
    report("through", ordered, most, results:get(), q:empty())
    p:join()
  ]]

  it("fills it", function()
    assert.equal("true", out.fits)
    assert.equal("true 3", out.full)
  end)
  it("waits for room as often as it must, in order, never past the bound", function()
    assert.equal("true 3 true true", out.through)
  end)
end)

describe("a queue that was shut down", function()
  local out = support.fixture [[
    local q = process.Queue()
    q:put_many{ 1, 2, false, 4 }
    report("shutdown", select("#", q:shutdown()))
    report("put", q:put(5))
    report("put nowait", q:put_nowait(5))
    report("put timeout", q:put(5, 1000))
    report("put_many", q:put_many{ 5 })
    report("drains", q:qsize(), q:get(), table.concat(q:get_many(1), " "))
    local rest = {}
    for v in q:items() do rest[#rest + 1] = tostring(v) end
    report("items", table.concat(rest, " "))
    report("get", q:get())
    report("get nowait", q:get_nowait())
    report("get timeout", q:get(1000))
    report("get_many", q:get_many(5))
    report("state", q:empty(), q:full(), q:qsize())
    report("again", select("#", q:shutdown()), q:get())
    for _ in q:items() do report("item", "seen") end
    local p = process.Process(function() report("child", q:get()) end):start()
    p:join()
  ]]

  it("takes nothing more", function()
    assert.equal("0", out.shutdown)
    for _, form in ipairs { "put", "put nowait", "put timeout" } do
      assert.equal("nil closed", out[form])
    end
    assert.matches("^nil closed", out.put_many)
  end)
  it("gives what is there", function()
    assert.equal("4 1 2", out.drains)
    assert.equal("false 4", out.items)
  end)
  it("then says closed, at once, in every process", function()
    for _, form in ipairs { "get", "get nowait", "get timeout", "get_many", "child" } do
      assert.equal("nil closed", out[form])
    end
    assert.equal("true false 0", out.state)
  end)
  it("may be shut down again", function()
    assert.equal("0 nil closed", out.again)
    assert.equal(0, support.count(out().stdout, "item\tseen"))
  end)
end)

describe("an immediate shutdown", function()
  local out = support.fixture [[
    local q = process.Queue(4)
    q:put_many{ 1, 2, 3, 4 }
    q:shutdown(true)
    report("get", q:get())
    report("put", q:put(1))
    report("state", q:empty(), q:qsize())
    for _ in q:items() do report("item", "seen") end
    local late = process.Queue()
    late:put_many{ 1, 2 }
    late:shutdown()
    late:shutdown(true)
    report("after an ordinary one", late:get())
  ]]

  it("drops what is there", function()
    assert.equal("nil closed", out.get)
    assert.equal("nil closed", out.put)
    assert.equal("true 0", out.state)
    assert.equal(0, support.count(out().stdout, "item\tseen"))
    assert.equal("nil closed", out["after an ordinary one"])
  end)
end)

for name, argument in pairs { ["a shutdown"] = "", ["an immediate shutdown"] = "true" } do
  describe(name, function()
    local out = support.fixture(([[
      local empty, full, results = process.Queue(), process.Queue(1), process.Queue()
      full:put "there"
      local calls = {
        function() return empty:get() end,
        function() return empty:get(1000) end,
        function() return empty:get_many(3) end,
        function() for _ in empty:items() do end; return nil, "closed" end,
        function() return full:put "more" end,
        function() return full:put("more", 1000) end,
        function() return full:put_many{ "more", "and more" } end,
      }
      local ps = {}
      for i, call in ipairs(calls) do
        ps[i] = process.Process(function() results:put(table.pack(call())) end):start()
      end
      for _, p in ipairs(ps) do fx.asleep(p.pid) end
      -- Shut down by a process that neither made nor used the queues.
      process.Process(function()
        empty:shutdown(%s)
        full:shutdown(%s)
      end):start():join()
      local woken = 0
      for _ = 1, #calls do
        local r = results:get()
        if r[1] == nil and r[2] == "closed" then woken = woken + 1 end
      end
      for _, p in ipairs(ps) do p:join() end
      report("woken", woken, #calls)
      report("left", full:get())
    ]]):format(argument, argument))

    it("wakes everybody who waits, in every process", function() assert.equal("7 7", out.woken) end)
    it("leaves or drops what was there", function()
      assert.equal(argument == "" and "there" or "nil closed", out.left)
    end)
  end)
end

describe("a queue's items", function()
  local out = support.fixture [[
    local jobs, results = process.Queue(), process.Queue()
    local workers = {}
    for i = 1, 3 do
      workers[i] = process.Process(function()
        for n in jobs:items() do results:put(n * n) end
        results:put "done"
      end):start()
    end
    for i = 1, 30 do jobs:put(i) end
    jobs:shutdown()
    local sum, done = 0, 0
    while done < 3 do
      local v = results:get()
      if v == "done" then done = done + 1 else sum = sum + v end
    end
    for _, p in ipairs(workers) do p:join() end
    report("sum", sum, results:empty())
  ]]

  it("feed any number of workers until the shutdown", function()
    assert.equal("9455 true", out.sum)
  end)
end)
