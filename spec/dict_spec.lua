-- process.dict: indexing, operations, iteration, what is atomic.

local support = require "spec.support"

describe("a dict", function()
  local out = support.fixture [[
    local dict = process.dict
    local d = dict{ a = 1 }
    d.b, d[1], d[2.5], d[true], d[false] = "two", "one", "half", "yes", "no"
    report("read", d.a, d.b, d[1], d[1.0], d[2.5], d[true], d[false], d.missing, #d)
    d[3.0], d[-7], d[1 << 40], d[math.mininteger], d[2^70] = "i", "neg", "big", "min", "huge"
    local types = {}
    for k in pairs(d) do types[k] = math.type(k) end
    report("numbers", d[3], d[-7.0], d[2^40], d[math.mininteger], d[-2^63], d[2^70],
      types[3], types[2^70])
    d.a = nil
    report("removed", d.a, dict.contains(d, "a"), dict.contains(d, "b"), #d)
    d["keys"], d["get"], d["__index"], d[""] = 1, 2, 3, 4
    report("data only", d.keys, d.get, d.__index, d[""], d.pairs)
    report("nil key", try(function() d[nil] = 1 end))
    report("NaN key", try(function() d[0/0] = 1 end))
    report("table key", try(function() d[{}] = 1 end))
    report("table key read", try(function() return d[{}] end))
    report("nothing there", d[nil], d[0/0], dict.contains(d, nil))
    local long, text = ("k"):rep(5000), ("v"):rep(100000)
    d[long], d.long, d.mid = 1, text, ("m"):rep(200)
    report("long", d[long], d.long == text, #d.mid, dict.pop(d, long), d[long])
    d.t = { 1, 2, { 3 }, x = "y" }
    d.t[1] = 99
    report("copies", d.t[1], d.t[3][1], d.t.x)
    d.f = function(x) return x + 1 end
    report("function", d.f(41))
    d.unsent = nil
    report("refused", try(function() d.unsent = coroutine.create(print) end), d.unsent)
    report("float", d[2.5], math.type((dict(  { x = 1.0 } )).x))
    report("not a dict", try(dict.get, 5, 1))
    report("no argument", try(dict.get, d, 1, 2, 3))
    report("option", try(dict, {}, { nam = "x" }))
    report("named", #dict({ 1 }, { name = "jobs" }))
    report("from", try(dict, 5), dict(dict{ x = 5 }).x)
    d.self = d
    report("itself", d.self == d, d.self.self.keys)
  ]]
  it("has values by key", function() assert.equal("1 two one one half yes no nil 6", out.read) end)
  it("takes numbers as Lua does", function()
    assert.equal("i neg big min min huge integer float", out.numbers)
  end)
  it("removes what becomes nil", function() assert.equal("nil false true 10", out.removed) end)
  it("has no methods among its keys", function() assert.equal("1 2 3 4 nil", out["data only"]) end)
  it("refuses what can be no key", function()
    support.mentions(out["nil key"], "a key is a string, a number or a boolean, not nil")
    support.mentions(out["NaN key"], "not NaN")
    support.mentions(out["table key"], "not a table")
    support.mentions(out["table key read"], "not a table")
    assert.equal("nil nil false", out["nothing there"])
  end)
  it("takes long keys and values", function() assert.equal("1 true 200 1 nil", out.long) end)
  it("gives copies of plain tables", function() assert.equal("1 3 y", out.copies) end)
  it("takes functions", function() assert.equal("42", out["function"]) end)
  it("refuses what cannot be sent", function()
    support.mentions(out.refused, "cannot send a thread", "nil")
  end)
  it("keeps floats floats", function() assert.equal("half float", out.float) end)
  it("names what is wrong in a call", function()
    support.mentions(out["not a dict"], "get", "dict expected, got number")
    support.mentions(out["no argument"], "no such argument")
    support.mentions(out.option, "unknown option 'nam'")
    support.mentions(out.from, "dict", "number")
    assert.equal("1", out.named)
  end)
  it("may hold itself", function() assert.equal("true 1", out.itself) end)
end)

describe("the operations of a dict", function()
  local out = support.fixture [[
    local dict = process.dict
    local d = dict()
    report("get", dict.get(d, "a"), dict.get(d, "a", 5), select("#", dict.get(d, "a")))
    report("setdefault", dict.setdefault(d, "a", 1), dict.setdefault(d, "a", 2), d.a)
    report("setdefault nil", try(dict.setdefault, d, "b"))
    report("pop", dict.pop(d, "a"), dict.pop(d, "a"), dict.pop(d, "a", "default"), #d)
    for i, k in ipairs{ "x", "y", "z" } do d[k] = i end
    report("keys", table.concat(dict.keys(d), " "))
    report("values", table.concat(dict.values(d), " "))
    local items = dict.items(d)
    report("items", #items, items[1][1], items[1][2], items[3][1], items[3][2])
    report("popitem", dict.popitem(d))
    report("popitem again", dict.popitem(d))
    dict.popitem(d)
    report("popitem of none", dict.popitem(d))
    dict.update(d, { a = 1 })
    dict.update(d, dict{ a = 2, b = 3 })
    report("update", d.a, d.b, #d)
    report("update with", try(dict.update, d, 5))
    local copy = dict.copy(d)
    copy.a = 100
    report("copy", type(copy), copy.b, d.a)
    report("copy how", try(dict.copy, d, { depe = true }))
    local both = d | { b = 30, c = 40 }
    report("union", type(both), both.a, both.b, both.c, d.c, ({ a = 7, z = 1 } | d).a)
    report("clear", select("#", dict.clear(d)), #d, d.a, next(dict.keys(d)))
    report("incr", dict.incr(d, "n"), dict.incr(d, "n", 5), dict.incr(d, "n", -10), d.n)
    report("incr float", dict.incr(d, "n", 0.5), dict.incr(d, "f", 1.5), dict.incr(d, 1.0), d[1])
    d.s, d.t, d.big = "5", {}, math.maxinteger
    report("incr string", try(dict.incr, d, "s"))
    report("incr table", try(dict.incr, d, "t"))
    report("incr too far", try(dict.incr, d, "big"))
    report("incr by", try(dict.incr, d, "n", "1"))
    report("unchanged", d.s, d.big == math.maxinteger)
    report("cas", dict.compare_and_set(d, "c", nil, 1), dict.compare_and_set(d, "c", nil, 2),
      dict.compare_and_set(d, "c", 1.0, 2), d.c, dict.compare_and_set(d, "c", 2, "text"),
      dict.compare_and_set(d, "c", "texT", 0), dict.compare_and_set(d, "c", "text", true),
      dict.compare_and_set(d, "c", false, 0), dict.compare_and_set(d, "c", true, nil), d.c)
    local lock, long = process.Lock(), ("x"):rep(1000)
    report("cas of objects", dict.compare_and_set(d, "l", nil, lock),
      dict.compare_and_set(d, "l", process.Lock(), 0), dict.compare_and_set(d, "l", lock, long),
      dict.compare_and_set(d, "l", long .. "y", 0), dict.compare_and_set(d, "l", long, 0.1),
      dict.compare_and_set(d, "l", 0.1, -1), d.l)
    report("cas of a table", try(dict.compare_and_set, d, "t", {}, 0))
    report("modify", dict.modify(d, "m", function(v) return (v or 0) + 1 end), d.m,
      dict.modify(d, "m", function() end), d.m)
  ]]
  it("get", function() assert.equal("nil 5 1", out.get) end)
  it("setdefault", function()
    assert.equal("1 1 1", out.setdefault)
    support.mentions(out["setdefault nil"], "setdefault", "a value expected")
  end)
  it("pop", function() assert.equal("1 nil default 0", out.pop) end)
  it("keys, values, items", function()
    assert.equal("x y z", out.keys)
    assert.equal("1 2 3", out.values)
    assert.equal("3 x 1 z 3", out.items)
  end)
  it("popitem", function()
    assert.equal("z 3", out.popitem)
    assert.equal("y 2", out["popitem again"])
    assert.equal("nil empty", out["popitem of none"])
  end)
  it("update", function()
    assert.equal("2 3 2", out.update)
    support.mentions(out["update with"], "update", "got number")
  end)
  it("copy and |", function()
    assert.equal("table 3 2", out.copy)
    support.mentions(out["copy how"], "copy", "unknown option 'depe'")
    assert.equal("table 2 30 40 nil 2", out.union)
  end)
  it("clear", function() assert.equal("0 0 nil nil", out.clear) end)
  it("incr", function()
    assert.equal("1 6 -4 -4", out.incr)
    assert.equal("-3.5 1.5 1 1", out["incr float"])
    support.mentions(out["incr string"],
      "process.dict.incr: the value at 's' is a string, not a number")
    support.mentions(out["incr table"], "'t'", "a table")
    support.mentions(out["incr too far"], "'big'", "9223372036854775807 + 1", "out of the range")
    support.mentions(out["incr by"], "number expected")
    assert.equal("5 true", out.unchanged)
  end)
  it("compare_and_set", function()
    assert.equal("true false true 2 true false true false true nil", out.cas)
    assert.equal("true false true false true true -1", out["cas of objects"])
    support.mentions(out["cas of a table"], "a table cannot be compared")
  end)
  it("modify", function() assert.equal("1 1 nil nil", out.modify) end)
end)

describe("iteration over a dict", function()
  local out = support.fixture [[
    local dict = process.dict
    local d, keys = dict(), {}
    for i = 1, 100 do d["k" .. i] = i end
    d.k50, d.k1 = nil, nil
    d.k50 = "again"
    d.k2 = "changed"
    for k, v in pairs(d) do keys[#keys + 1] = k .. "=" .. v end
    report("order", #keys, keys[1], keys[2], keys[98], keys[99])
    local n, sum = 0, 0
    for k, v in pairs(d) do
      n = n + 1
      if n == 1 then dict.clear(d) d.new = 1 end
      sum = sum + #tostring(v)
    end
    report("consistent", n, sum > 99, #d)
    for k in pairs(d) do d[k] = nil end
    report("removing", #d)
    for i = 1, 50 do d[i] = { i } end
    local child = process.Process(function()
      for round = 1, 200 do
        for i = 1, 50 do d[i] = { i + round * 50 } end
      end
    end):start()
    local short = 0
    repeat
      local count = 0
      for k, v in pairs(d) do
        assert(v[1] % 50 == k % 50)
        count = count + 1
      end
      if count ~= 50 then short = short + 1 end
    until not child:is_alive()
    report("beside a writer", short, child.exitcode)
    local f, s, c, closing = pairs(d)
    report("left early", f(s) ~= nil)
    closing = nil
    for k in pairs(d) do break end
    collectgarbage()
    report("after a loop", f(s, c) ~= nil)
  ]]
  it("is in the order of insertion", function()
    assert.equal("99 k2=changed k3=3 k100=100 k50=again", out.order)
  end)
  it("is over what there was at its beginning", function()
    assert.equal("99 true 1", out.consistent)
    assert.equal("0", out.removing)
  end)
  it("never fails because another process writes", function()
    assert.equal("0 0", out["beside a writer"])
  end)
  it("may be left early", function()
    assert.equal("true", out["left early"])
    assert.equal("true", out["after a loop"])
  end)
end)

describe("a dict in several processes", function()
  local out = support.fixture [[
    local dict = process.dict
    local d = dict{ bar = 6, foo = 5 }
    local q = process.Queue()
    local child = process.Process(function()
      report("seen", #d, d.foo, d.bar, dict.contains(d, "foo"), dict.contains(d, "baz"))
      dict.update(d, { x = 1 })
      d.inner = dict{ water = 1 }
      d.q = q
      q:put(d)
      dict.pop(d, "bar")
      dict.clear(dict{})
    end):start()
    local same = q:get()
    child:join()
    report("the very object", same == d, #d, d.bar, d.x)
    local inner = d.inner
    d.inner.water = 7
    report("nested", inner.water, d.inner == inner, dict.incr(d.inner, "water"))
    d.inner = nil
    collectgarbage()
    report("outlives", inner.water)
    d.again = inner
    inner = nil
    dict.clear(d)
    d.q = q
    d.q:put("through a dict")
    report("queue", d.q:get())
    local workers = {}
    for i = 1, 8 do
      workers[i] = process.Process(function()
        for n = 1, 2000 do
          dict.incr(d, "all")
          dict.incr(d, n % 40, 0.5)
          if n % 10 == 0 then dict.incr(d, "worker" .. i) end
        end
      end):start()
    end
    for _, p in ipairs(workers) do p:join() end
    local sum = 0
    for i = 0, 39 do sum = sum + d[i] end
    report("incr", d.all, sum, d.worker1, d.worker8, #d)
    for i = 1, 4 do
      workers[i] = process.Process(function()
        for n = 1, 500 do
          local key = (n * 7 + i) % 300
          if n % 3 == 0 then d[key] = nil else d[key] = ("v"):rep(key) end
        end
      end):start()
    end
    for i = 1, 4 do workers[i]:join() end
    local whole = true
    for k, v in pairs(d) do
      if type(k) == "number" and type(v) == "string" then whole = whole and #v == k end
    end
    report("whole", whole)
  ]]
  it("is seen by all", function() assert.equal("2 5 6 true false", out.seen) end)
  it("is the same object", function() assert.equal("true 4 nil 1", out["the very object"]) end)
  it("is live when nested", function() assert.equal("7 true 8", out.nested) end)
  it("lives as long as somebody holds it", function() assert.equal("8", out.outlives) end)
  it("holds queues", function() assert.equal("through a dict", out.queue) end)
  it("counts what 8 processes add", function()
    assert.equal("16000 8000.0 200 200 50", out.incr)
  end)
  it("is whole after writes to the same keys", function() assert.equal("true", out.whole) end)
end)

describe("atomic", function()
  local out = support.fixture [[
    local dict = process.dict
    local d = dict()
    d.a = 100
    d.b = 0
    report("results", dict.atomic(d, function(t)
      t.a, t.b = t.a - 30, t.b + 30
      t.new = "x"
      return t.a, t.b, #t, t == d
    end))
    report("after", d.a, d.b, d.new)
    local thrown = { "thrown" }
    local ok, err = pcall(dict.atomic, d, function()
      d.a, d.other, d.new = 0, 1, nil
      dict.incr(d, "b")
      report("within", d.a, d.new, d.other, d.b, #d, table.concat(dict.keys(d), " "))
      error(thrown)
    end)
    report("error", ok, err == thrown, d.a, d.b, d.new, d.other, #d)
    report("nested", try(dict.atomic, d, function() dict.atomic(d, print) end))
    report("still works", dict.atomic(d, function()
      dict.modify(d, "a", function(v) return v + 1 end)
      dict.update(d, { u = 1, v = 2 })
      return d.a, d.u
    end))
    dict.atomic(d, function()
      dict.clear(d)
      d.only = 1
      report("cleared", #d, d.a, dict.contains(d, "b"), dict.pop(d, "u", "gone"))
    end)
    report("after clear", #d, d.only, d.a)
    dict.atomic(d, function()
      d.z = 1
      d.y = 2
      report("popitem", dict.popitem(d))
      d.only = nil
      report("setdefault", dict.setdefault(d, "only", 5), dict.compare_and_set(d, "only", 5, 6))
    end)
    report("order", table.concat(dict.keys(d), " "), d.only)
    report("not a function", try(dict.atomic, d, nil), try(dict.modify, d, "z", 5), d.z)
    local co = coroutine.create(function()
      dict.atomic(d, function() d.left = 1 coroutine.yield() end)
    end)
    coroutine.resume(co)
    co = nil
    collectgarbage() collectgarbage()
    local p = process.Process(function() d.z = "child" end):start()
    report("collected", p:join(20), d.z, d.left)
    local n = #d
    co = coroutine.create(function()
      dict.atomic(d, function()
        d.left = 2
        local inside = coroutine.wrap(function() coroutine.yield(d.left) end)
        coroutine.yield(inside(), d.left)
      end)
    end)
    report("inside", coroutine.resume(co))
    report("outside", d.left, #d == n, dict.copy(d).left, dict.get(d, "left"))
    report("outside write", try(function() d.lost = 1 end), try(dict.atomic, d, print))
    coroutine.resume(co)
    report("gone on", d.left, d.lost)
  ]]
  it("returns what the function returns", function()
    assert.equal("70 30 3 true", out.results)
    assert.equal("70 30 x", out.after)
  end)
  it("is undone by an error, which is passed on", function()
    assert.equal("0 nil 1 31 3 a b other", out.within)
    assert.equal("false true 70 30 x nil 3", out.error)
  end)
  it("is not for use within itself", function()
    support.mentions(out.nested, "process.dict.atomic", "within atomic of the same dict")
  end)
  it("takes the other operations along", function()
    assert.equal("71 1", out["still works"])
    assert.equal("1 nil false gone", out.cleared)
    assert.equal("1 1 nil", out["after clear"])
    assert.equal("y 2", out.popitem)
    assert.equal("5 true", out.setdefault)
    assert.equal("only z 6", out.order)
  end)
  it("needs a function", function()
    support.mentions(out["not a function"], "#2 to 'atomic' (function expected, got nil)",
      "#3 to 'modify' (function expected, got number)", "1")
  end)
  it("left by a coroutine is open to nobody else in the same process", function()
    assert.equal("true 2 2", out.inside)
    assert.equal("nil true nil nil", out.outside)
    support.mentions(out["outside write"], "the caller holds what it waits for")
    assert.equal("2 nil", out["gone on"])
  end)
  it("ends when a coroutine that left it is collected", function()
    assert.equal("true child nil", out.collected)
  end)
end)

describe("transfers by four processes", function()
  local out = support.fixture [[
    local dict = process.dict
    local accounts = dict()
    for i = 1, 30 do accounts["account" .. i] = 100 end
    local workers = {}
    for w = 1, 4 do
      workers[w] = process.Process(function()
        for n = 1, 150 do
          local from, to = "account" .. (n * w) % 30 + 1, "account" .. (n + w) % 30 + 1
          dict.atomic(accounts, function(a)
            a[from] = a[from] - n
            a[to] = a[to] + n
          end)
        end
      end):start()
    end
    local snapshots, wrong, running = 0, 0, true
    while running do
      running = false
      for _, p in ipairs(workers) do running = running or p:is_alive() end
      local sum, n = 0, 0
      for _, money in pairs(accounts) do sum, n = sum + money, n + 1 end
      snapshots = snapshots + 1
      if sum ~= 3000 or n ~= 30 then wrong = wrong + 1 end
    end
    report("sums", snapshots > 0, wrong)
    for _, p in ipairs(workers) do report("ended", p.exitcode) end
  ]]
  it("are seen wholly or not at all", function() assert.equal("true 0", out.sums) end)
  it("do not stop each other", function() assert.equal("0", out.ended) end)
end)

describe("a writer while another is in atomic", function()
  local out = support.fixture [[
    local dict = process.dict
    local d, inside, go = dict{ a = 1 }, process.Event(), process.Event()
    local p = process.Process(function()
      dict.atomic(d, function()
        d.a = 2
        inside:set()
        go:wait()
      end)
    end):start()
    inside:wait()
    local writer = process.Process(function()
      d.b = d.a
      dict.incr(d, "a")
    end):start()
    fx.waiting(writer.pid)
    report("read meanwhile", d.a, d.b, #d)
    go:set()
    p:join()
    writer:join()
    report("in the end", d.a, p.exitcode, writer.exitcode)
  ]]
  it("waits, and readers do not", function()
    assert.equal("1 nil 1", out["read meanwhile"])
    assert.equal("3 0 0", out["in the end"])
  end)
end)

describe("wait_change", function()
  local out = support.fixture [[
    local dict = process.dict
    local d = dict{ a = 1, t = { 1 } }
    report("timeout", dict.wait_change(d, "a", 0), dict.wait_change(d, nil, 0.01))
    local function woken_by(name, key, change)
      local p = process.Process(function()
        report(name, dict.wait_change(d, key, 30))
      end):start()
      fx.waiting(p.pid)
      change()
      p:join()
    end
    woken_by("changed", "a", function() d.b = 1 d.a = 2 end)
    woken_by("made", "x", function() d.x = 1 end)
    woken_by("removed", "x", function() d.x = nil end)
    woken_by("table", "t", function() d.t = { 2 } end)
    woken_by("anything", nil, function() d.other = 1 end)
    woken_by("atomic", "a", function() dict.atomic(d, function() d.a = 3 end) end)
    woken_by("clear", nil, function() dict.clear(d) end)
    local p = process.Process(function()
      report("other key", dict.wait_change(d, "a", 30), d.a)
    end):start()
    fx.waiting(p.pid)
    for i = 1, 100 do d["other" .. i] = i end
    fx.waiting(p.pid)
    d.a = "changed"
    p:join()
    report("in atomic", try(dict.atomic, d, function() dict.wait_change(d) end))
    d.n = 0
    local counter = process.Process(function()
      for _ = 1, 100 do dict.incr(d, "n") end
    end):start()
    report("wait_for", dict.wait_for(d, function(t) return t.n >= 100 and t.n end, 30))
    counter:join()
    report("wait_for nothing", dict.wait_for(d, function(t) return t.n < 0 end, 0.01))
    report("error in wait_for", try(dict.wait_for, d, function() error "mine" end))
  ]]
  it("gives up in time", function() assert.equal("false false timeout", out.timeout) end)
  it("ends for a change", function()
    local names = { "changed", "made", "removed", "table", "anything", "atomic", "clear" }
    for _, name in ipairs(names) do
      assert.equal("true", out[name])
    end
  end)
  it("of the key only", function() assert.equal("true changed", out["other key"]) end)
  it("has a brother that waits until something is true", function()
    assert.equal("100", out.wait_for)
    assert.equal("false timeout", out["wait_for nothing"])
    support.mentions(out["error in wait_for"], "mine")
  end)
  it("is an error where nobody could change it", function()
    support.mentions(out["in atomic"], "wait_change", "atomic")
  end)
end)

describe("two atomics that want each other's dict", function()
  local out = support.fixture [[
    local dict = process.dict
    local one, two = dict({}, { name = "one" }), dict({}, { name = "two" })
    local first, second = process.Event(), process.Event()
    local function run(mine, other, inside, others)
      return process.Process(function()
        local ok, message = pcall(dict.atomic, mine, function()
          inside:set()
          others:wait()
          other.x = 1
        end)
        if not ok then report("message", message) end
      end):start()
    end
    local a, b = run(one, two, first, second), run(two, one, second, first)
    a:join()
    b:join()
    report("in the end", a.exitcode, b.exitcode, one.x or two.x)
  ]]
  it("are a deadlock, which is named", function()
    support.mentions(out.message, "deadlock", "'one'", "'two'")
    assert.equal("0 0 1", out["in the end"])
  end)
end)

describe("a dict that is printed", function()
  local out = support.fixture [[
    local dict = process.dict
    local d = dict()
    report("empty", d)
    d.a = 1
    d[1] = "one"
    d["two words"] = 2.5
    d[true] = false
    d["end"] = 0
    report("entries", d)
    local cycle = dict{ inner = dict{ x = 1 } }
    cycle.self = cycle
    report("nested", cycle)
    report("table", dict{ t = { 1, "x", k = { 2 } } })
    report("quoted", dict{ ['a"b'] = 'c"\n' })
    local many = dict()
    for i = 1, 100 do many["key" .. i] = i end
    report("cut", tostring(many):sub(1, 30), #tostring(many) <= 80, tostring(many):sub(-5))
    local long = tostring(dict{ s = ("x"):rep(500) })
    report("long", #long <= 84, long:sub(1, 12), long:sub(-4))
    report("kinds", process.dict{ l = process.Lock() })
  ]]
  it("shows its contents", function()
    assert.equal("dict{}", out.empty)
    assert.equal([[dict{a = 1, [1] = "one", ["two words"] = 2.5, [true] = false, ["end"] = 0}]],
      out.entries)
    assert.equal("dict{inner = dict{x = 1}, self = dict{...}}", out.nested)
    assert.equal('dict{t = {1, "x", k = {2}}}', out.table)
    assert.equal([[dict{["a\"b"] = "c\"\n"}]], out.quoted)
    assert.equal("dict{l = <Lock(owner=None)>}", out.kinds)
  end)
  it("is cut to a line", function()
    assert.equal("dict{key1 = 1, key2 = 2, key3  true  ...}", out.cut)
    assert.equal('true dict{s = "xx ...}', out.long)
  end)
end)

describe("a value that the receiver cannot make", function()
  local out = support.fixture [[
    local dict = process.dict
    local d = dict{ a = 1 }
    process.Process(function()
      local Own = {}
      process.register("Own", Own)
      d.own = setmetatable({ 1 }, Own)
    end):start():join()
    report("read", try(function() return d.own end))
    report("pop", try(dict.pop, d, "own"), #d)
    report("popitem", try(dict.popitem, d), #d)
    d.own = nil
    report("after", d)
  ]]
  it("stays, and says why", function()
    for _, name in ipairs { "read", "pop", "popitem" } do
      support.mentions(out[name], "no metatable is registered as 'Own'")
    end
    assert.equal("2", out.pop:sub(-1))
    assert.equal("2", out.popitem:sub(-1))
    assert.equal("dict{a = 1}", out.after)
  end)
end)
