-- Queue: between many processes; shared by every road; in messages; big messages.

local support = require "spec.support"

describe("a queue", function()
  local out = support.fixture [[
    local q = process.Queue()
    process.Process(function() q:put "by upvalue" end):start():join()
    report("upvalue", q:get())
    process.Process(function(queue) queue:put "by argument" end, q):start():join()
    report("argument", q:get())
    process.Process(function(t) t.list[1]:put "in a table" end, { list = { q } }):start():join()
    report("table", q:get())
    global_queue = q
    process.Process(function() global_queue:put "by a global" end):start():join()
    report("global", q:get())
    process.Process(function()
      q:put(1)
      process.Process(function(queue) queue:put(2) end, q):start():join()
    end):start():join()
    report("generations", q:get() + q:get(), q:empty())

    local carrier = process.Queue()
    carrier:put{ reply = q, also = q }
    local sent = carrier:get()
    sent.reply:put "through a message"
    report("message", q:get(), sent.reply == sent.also)
    carrier:put(function(v) q:put(v) end)
    process.Process(function() carrier:get()("by a function") end):start():join()
    report("function", q:get())

    carrier:put(process.Queue())
    collectgarbage()
    collectgarbage()
    local inner = carrier:get()
    inner:put "kept"
    report("kept by a message", inner:get())

    process.Process(function()
      local own = process.Queue()
      own:put "from the maker"
      carrier:put(own)
    end):start():join()
    report("outlives its maker", carrier:get():get())

    local outer = process.Queue()
    local level = outer
    for i = 1, 20 do
      local next_one = process.Queue()
      level:put{ i, next_one }
      level = next_one
    end
    level:put "bottom"
    level = nil
    collectgarbage()
    collectgarbage()
    local depth, item = 0, outer:get()
    while type(item) == "table" do depth, item = depth + 1, item[2]:get() end
    report("nested", depth, item)

    local own = process.Queue()
    own:put(own)
    own:put "after itself"
    report("in itself", own:get():get())
  ]]

  it("reaches a child by upvalue, argument, table and global", function()
    assert.equal("by upvalue", out.upvalue)
    assert.equal("by argument", out.argument)
    assert.equal("in a table", out.table)
    assert.equal("by a global", out.global)
  end)
  it("is handed on to a child's child", function() assert.equal("3 true", out.generations) end)
  it("travels in messages and functions", function()
    assert.equal("through a message true", out.message)
    assert.equal("by a function", out["function"])
  end)
  it("lives in a message alone", function() assert.equal("kept", out["kept by a message"]) end)
  it("outlives the process that made it", function()
    assert.equal("from the maker", out["outlives its maker"])
  end)
  it("may lie in a queue in a queue", function() assert.equal("20 bottom", out.nested) end)
  it("may be sent through itself", function() assert.equal("after itself", out["in itself"]) end)
end)

describe("big messages", function()
  local out = support.fixture [[
    local MB = 1 << 20
    local there, back = process.Queue(), process.Queue()
    local echo = process.Process(function()
      for v in there:items() do back:put(v) end
    end):start()
    local unit = {}
    for i = 0, 255 do unit[#unit + 1] = string.char(i) end
    unit = table.concat(unit)
    for _, size in ipairs{ 1, 16 } do
      local text = unit:rep(size * MB // 256)
      there:put(text)
      report("echo " .. size, back:get() == text)
    end
    local list = {}
    for i = 1, 200000 do list[i] = i end
    there:put(list)
    local got = back:get()
    report("list", #got, got[1], got[200000])
    there:shutdown()
    echo:join()
    report("echo", echo.exitcode)
    -- A producer may end with its items still in the queue, however big they are.
    local q = process.Queue()
    local p = process.Process(function()
      for i = 1, 8 do q:put(string.char(64 + i):rep(MB)) end
    end):start()
    report("joined", p:join(), p.exitcode, q:qsize())
    local whole = true
    for i = 1, 8 do whole = whole and q:get() == string.char(64 + i):rep(MB) end
    report("whole", whole)
  ]]

  it("of 1 and 16 MiB go there and back", function()
    assert.equal("true", out["echo 1"])
    assert.equal("true", out["echo 16"])
    assert.equal("200000 1 200000", out.list)
    assert.equal("0", out.echo)
  end)
  it("do not hold up their sender's end", function()
    assert.equal("true 0 8", out.joined)
    assert.equal("true", out.whole)
  end)
end)

for name, case in pairs { ["a queue without bound"] = "", ["a queue with room for three"] = "3" } do
  describe("many producers and consumers at " .. name, function()
    local out = support.fixture(([[
      local PRODUCERS, CONSUMERS, ITEMS = 4, 4, 1500
      local q, results = process.Queue(%s), process.Queue()
      local producers, consumers = {}, {}
      for i = 1, CONSUMERS do
        consumers[i] = process.Process(function()
          local keys, last, ordered = {}, {}, true
          for item in q:items() do
            local who, n = item[1], item[2]
            ordered = ordered and n > (last[who] or 0)
            last[who] = n
            keys[#keys + 1] = who * 1000000 + n
          end
          results:put{ keys = keys, ordered = ordered }
        end):start()
      end
      for i = 1, PRODUCERS do
        producers[i] = process.Process(function()
          for n = 1, ITEMS do
            if n %% 5 == 0 then q:put_many{ { i, n } } else q:put{ i, n } end
          end
        end):start()
      end
      for _, p in ipairs(producers) do p:join() end
      q:shutdown()
      local seen, wrong, ordered, total = {}, 0, true, 0
      for _ = 1, CONSUMERS do
        local r = results:get()
        ordered, total = ordered and r.ordered, total + #r.keys
        for _, key in ipairs(r.keys) do
          if seen[key] then wrong = wrong + 1 end
          seen[key] = true
        end
      end
      for _, p in ipairs(consumers) do p:join() end
      for who = 1, PRODUCERS do
        for n = 1, ITEMS do if not seen[who * 1000000 + n] then wrong = wrong + 1 end end
      end
      report("total", total, wrong)
      report("ordered", ordered)
    ]]):format(case))

    it("pass every item exactly once", function() assert.equal("6000 0", out.total) end)
    it("keep each producer's order", function() assert.equal("true", out.ordered) end)
  end)
end

describe("a bound", function()
  local out = support.fixture [[
    local q, done = process.Queue(3), process.Queue()
    local ps = {}
    for i = 1, 5 do
      ps[i] = process.Process(function()
        for n = 1, 40 do q:put(n) end
        done:put(i)
      end):start()
    end
    eventually(function() return q:full() end)
    for _, p in ipairs(ps) do fx.asleep(p.pid) end
    report("held", q:qsize(), done:empty())
    local most, sum = 0, 0
    for _ = 1, 200 do
      most = math.max(most, q:qsize())
      sum = sum + q:get()
    end
    for _, p in ipairs(ps) do p:join() end
    report("passed", most <= 3, sum, q:empty(), done:qsize())
  ]]

  it("holds any number of putters back", function() assert.equal("3 true", out.held) end)
  it("is never exceeded, and lets all through", function()
    assert.equal("true 4100 true 5", out.passed)
  end)
end)
