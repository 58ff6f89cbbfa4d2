-- Queue: whoever is killed, whatever it was doing, the others go on.

local support = require "spec.support"

describe("a producer that is killed", function()
  local out = support.fixture [[
    local q = process.Queue()
    local p = process.Process(function()
      for i = 1, 5 do q:put(i) end
      fx.die "KILL"
    end):start()
    p:join()
    report("kept", p.exitcode, table.concat(q:get_many(10), " "), q:empty())

    local full, done = process.Queue(1), process.Queue()
    full:put "first"
    local ps = {}
    for i = 1, 3 do
      ps[i] = process.Process(function() full:put(i); done:put(i) end):start()
    end
    for _, x in ipairs(ps) do fx.asleep(x.pid) end
    ps[2]:kill()
    ps[2]:join()
    report("waiting", full:get(), full:get() + full:get(), done:get() + done:get())
    for _, x in ipairs(ps) do x:join() end
    report("after", full:get(false))
    report("usable", full:put "x", full:get())
  ]]

  it("leaves what it had put", function() assert.equal("-9 1 2 3 4 5 true", out.kept) end)
  it("while it waits for room takes nothing along", function()
    assert.equal("first 4 4", out.waiting)
    assert.equal("nil empty", out.after)
    assert.equal("true x", out.usable)
  end)
end)

describe("a consumer that is killed while it waits", function()
  local out = support.fixture [[
    local q, got = process.Queue(), process.Queue()
    local ps = {}
    for i = 1, 3 do
      ps[i] = process.Process(function()
        for v in q:items() do got:put(v) end
      end):start()
    end
    for _, p in ipairs(ps) do fx.asleep(p.pid) end
    ps[1]:kill()
    ps[1]:join()
    local sum = 0
    for i = 1, 20 do
      q:put(i)
      sum = sum + got:get()
    end
    report("others", sum, q:empty())
    ps[2]:kill()
    ps[3]:kill()
    ps[2]:join()
    ps[3]:join()
    q:put "for main"
    report("main", q:get(), q:get(0.05))
  ]]

  it("leaves the queue to the others", function() assert.equal("210 true", out.others) end)
  it("leaves it usable when it was the last", function()
    assert.equal("for main nil empty", out.main)
  end)
end)

describe("producers killed at random moments", function()
  local out = support.fixture [[
    local torn, gaps, taken = 0, 0, 0
    for _, bound in ipairs{ 0, 4 } do
      local q = process.Queue(bound)
      for round = 1, 60 do
        local text = ("%d,"):format(round):rep(round)
        local p = process.Process(function()
          local n = 0
          while true do
            n = n + 1
            q:put{ n, text, { round } }
          end
        end):start()
        local moment = process.now() + 0.0005 + (round % 12) * 0.0002
        local last = 0
        local function take(item)
          if item[1] ~= last + 1 then gaps = gaps + 1 end
          if item[2] ~= text or item[3][1] ~= round then torn = torn + 1 end
          last, taken = item[1], taken + 1
        end
        while process.now() < moment do
          local item = q:get(false)
          if item then take(item) end
        end
        p:kill()
        p:join()
        while true do
          local item, word = q:get(0)
          if not item then
            if word ~= "empty" or q:qsize() ~= 0 then torn = torn + 1 end
            break
          end
          take(item)
        end
      end
      if q:put("fine", 1) ~= true or q:get(1) ~= "fine" then torn = torn + 1 end
    end
    report("items", torn, gaps, taken > 0)
  ]]

  it("leave whole items, none missing, none twice", function()
    assert.equal("0 0 true", out.items)
  end)
end)

describe("consumers killed at random moments", function()
  local out = support.fixture [[
    local q, echoed = process.Queue(), process.Queue()
    local ROUNDS, next_item = 60, 0
    local seen, twice = {}, 0
    local function note(n)
      if seen[n] then twice = twice + 1 end
      seen[n] = true
    end
    for round = 1, ROUNDS do
      local p = process.Process(function()
        while true do echoed:put(q:get()) end
      end):start()
      local moment = process.now() + 0.0005 + (round % 12) * 0.0002
      while process.now() < moment do
        next_item = next_item + 1
        q:put(next_item)
      end
      p:kill()
      p:join()
    end
    while true do
      local n = q:get(0)
      if not n then break end
      note(n)
    end
    while true do
      local n = echoed:get(0)
      if not n then break end
      note(n)
    end
    local missing = 0
    for n = 1, next_item do if not seen[n] then missing = missing + 1 end end
    report("twice", twice)
    report("missing", missing <= ROUNDS, next_item > 0)
    report("usable", q:put "fine", q:get(1), q:empty(), echoed:empty())
  ]]

  it("take no item twice", function() assert.equal("0", out.twice) end)
  it("take along no more than the one item in their hands", function()
    assert.equal("true true", out.missing)
  end)
  it("leave queues that work", function() assert.equal("true fine true true", out.usable) end)
end)

describe("a process killed among many", function()
  local out = support.fixture [[
    local q, done = process.Queue(8), process.Queue()
    local lock = process.Lock()
    local function work()
      while true do
        lock:acquire()
        local v = q:get(0)
        lock:release()
        if v then q:put(v, 0.001) else q:put("x", 0.001) end
      end
    end
    local ps = {}
    for i = 1, 4 do ps[i] = process.Process(work):start() end
    local wrong = 0
    for round = 1, 40 do
      local i = round % 4 + 1
      local moment = process.now() + 0.001
      while process.now() < moment do end
      ps[i]:kill()
      ps[i]:join()
      if ps[i].exitcode ~= -9 then wrong = wrong + 1 end
      ps[i] = process.Process(work):start()
      if not lock:acquire(30) then wrong = wrong + 1 end
      lock:release()
    end
    for _, p in ipairs(ps) do p:kill(); p:join() end
    lock:acquire(30)
    lock:release()
    report("wrong", wrong, lock:locked(), q:qsize() <= 8)
    local left = q:qsize()
    report("drained", #(q:get_many(8, 0) or {}) == left, q:empty())
    report("usable", q:put "fine", q:get())
  ]]

  it("holds up neither queue nor lock", function()
    assert.equal("0 false true", out.wrong)
    assert.equal("true true", out.drained)
    assert.equal("true fine", out.usable)
  end)
end)
