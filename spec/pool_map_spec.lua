-- Pool: map and starmap, and what can be their input and their function.

local support = require "spec.support"

describe("map", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local function square(x) return x * x end
    local function range(n) local t = {} for i = 1, n do t[i] = i - 1 end return t end
    local function sum(t) local s = 0 for i = 1, #t do s = s + t[i] end return s end
    local function ordered(t)
      for i = 1, #t do if t[i] ~= (i - 1) ^ 2 then return i end end
      return #t
    end

    local r = pool:map(square, range(10))
    report("ten", table.concat(r, " "), #r, r.n)
    report("hundred", ordered(pool:map(square, range(100))))
    report("chunks", ordered(pool:map(square, range(100), 20)),
      ordered(pool:map(square, range(100), 1)), ordered(pool:map(square, range(100), 1000)),
      ordered(pool:map(square, range(100), { chunksize = 7 })))
    report("many", sum(pool:map(square, range(20000))))
    report("nothing", #pool:map(square, {}), pool:map(square, {}).n,
      #pool:map(square, function() end), #pool:starmap(square, {}),
      pool:map_async(square, {}):ready(), (pool:imap(square, {}))(),
      (pool:imap_unordered(square, {}))())
    local holes = pool:map(function(x) return x end, { n = 4, nil, 2, nil, nil })
    report("nils", holes.n, holes[1], holes[2], holes[3], holes[4])
    report("first result", table.concat(pool:map(function(x) return x, "more" end, { 1, 2 }), " "))
    report("no result", pool:map(function() end, { 1, 2 }).n)
    local n = 0
    report("iterator", table.concat(pool:map(square, function()
      n = n + 1
      if n <= 5 then return n end
    end), " "))
    report("words", table.concat(pool:map(string.upper, ("a b c"):gmatch "%a"), " "))
    report("starmap", table.concat(pool:starmap(math.max, { { 1, 2 }, { 4, 3 }, { 0 } }), " "),
      #pool:starmap(function(...) return select("#", ...) end, { { n = 3 } }, 2))
    report("star nils", pool:starmap(function(...) return select("#", ...) end, { { n = 3 } })[1])
    report("large", #table.concat(pool:map(function(s) return s:rep(2) end, { ("x"):rep(3e5), "y",
      ("z"):rep(3e5), ("z"):rep(3e5) })))
    report("pids", pool:map(process.getpid, range(5))[1] ~= process.getpid())
    local shared = process.Value("i", 0)
    pool:map(function(by) shared:add(by) end, range(100))
    report("shared", shared.value)
    report("elsewhere", try(function()
      local results = process.Queue()
      process.Process(function()
        results:put(fx.try(pool.map, pool, square, { 1 }))
      end):start():join()
      error(results:get(), 0)
    end))
    report("shown", pool)
  ]]

  it("gives the results in the order of the input", function()
    assert.equal("0 1 4 9 16 25 36 49 64 81 10 10", out.ten)
    assert.equal("100", out.hundred)
    assert.equal("2666466670000", out.many)
  end)
  it("takes a chunk size", function() assert.equal("100 100 100 100", out.chunks) end)
  it("has nothing to do for an empty input", function()
    assert.equal("0 0 0 0 true nil nil", out.nothing)
  end)
  it("keeps nils", function()
    assert.equal("4 nil 2 nil nil", out.nils)
    assert.equal("2", out["no result"])
  end)
  it("keeps the first result of each", function() assert.equal("1 2", out["first result"]) end)
  it("takes an iterator", function()
    assert.equal("1 4 9 16 25", out.iterator)
    assert.equal("A B C", out.words)
  end)
  it("gives each list as arguments, as starmap", function()
    assert.equal("2 4 0 1", out.starmap)
    assert.equal("3", out["star nils"])
  end)
  it("moves large values", function() assert.equal(tostring(2 * (9e5 + 1) // 1 | 0), out.large) end)
  it("runs in workers, which share what is shared", function()
    assert.equal("true", out.pids)
    assert.equal("4950", out.shared)
  end)
  it("belongs to the process that made the pool", function()
    support.mentions(out.elsewhere, "pool belongs to the process that made it")
  end)
  it("is shown with its state", function()
    assert.equal("<Pool state=running pool_size=2>", out.shown)
  end)
end)

describe("a pool's function", function()
  local out = support.fixture [[
    local multiplier = { __call = function(self, x) return self.by * x end }
    process.register("multiplier", multiplier)
    local pool <close> = process.Pool(2)
    local function list(...) return table.concat(pool:map(...), " ") end
    local factor = 2
    local function times(x) return x * factor end
    report("closure", list(times, { 1, 2 }))
    factor = 10
    report("again", list(times, { 1, 2 }), pool:apply(times, { 3 }))
    local function factorial(n) return n < 2 and 1 or n * factorial(n - 1) end
    report("recursive", list(factorial, { 3, 4, 5 }))
    local function add(x) return times(x) + 1 end
    report("uses others", list(add, { 1, 2 }))
    function late(x) return later(x) end
    function later(x) return -x end
    report("globals", list(late, { 1, 2 }))
    report("C", list(math.abs, { -1, -2 }))
    report("callable", list(setmetatable({ by = 3 }, multiplier), { 1, 2 }))
    report("not one", try(pool.map, pool, 7, { 1 }))
    report("unsendable", try(function() pool:map(times, { 1, coroutine.create(times) }) end))
    local thread = coroutine.create(times)
    report("captures", try(function() pool:apply(function() return thread end) end))
    report("after", list(times, { 1 }))
    -- Many calls with one closure see its upvalue's value of their time.
    local sum, step = 0, 0
    local function current() return step end
    for i = 1, 50 do step = i; sum = sum + pool:apply(current) end
    report("values at the call", sum)
    local big = ("x"):rep(2 << 20)
    for _ = 1, 3 do pool:apply(function() return #big end) end
  ]]

  it("may be a closure, with the values of the call", function()
    assert.equal("2 4", out.closure)
    assert.equal("10 20 30", out.again)
    assert.equal("1275", out["values at the call"])
  end)
  it("may be recursive and use other functions", function()
    assert.equal("6 24 120", out.recursive)
    assert.equal("11 21", out["uses others"])
  end)
  it("may be defined, and use globals made, after the pool", function()
    assert.equal("-1 -2", out.globals)
  end)
  it("may be anything that can be called", function()
    assert.equal("1 2", out.C)
    assert.equal("3 6", out.callable)
    support.mentions(out["not one"], "function expected, got number")
  end)
  it("is refused with what cannot be sent, and the pool goes on", function()
    support.mentions(out.unsendable, "cannot send a thread")
    support.mentions(out.captures, "cannot send a thread")
    assert.equal("10", out.after)
  end)
  it("is remarked upon once if it carries much", function()
    assert.equal(1, support.count(out().stderr, "2.1 MB along"))
    support.mentions(out().stderr, "big")
  end)
end)

describe("a pool's arguments", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(1)
    local function f(x) return x end
    report("processes", try(process.Pool, 0), try(process.Pool, -1), try(process.Pool, 1.5))
    report("kind", try(process.Pool, "3"))
    for i, v in ipairs{ 0, -1, 0.5, "12" } do
      report("max " .. i, try(process.Pool, { maxtasksperchild = v }))
    end
    report("unknown", try(process.Pool, { process = 3 }))
    report("option", try(pool.map, pool, f, { 1 }, { chunk = 3 }))
    report("chunk", try(pool.map, pool, f, { 1 }, 0), try(pool.imap, pool, f, { 1 }, 0))
    report("timeout", try(pool.map, pool, f, { 1 }, { timeout = 0 }))
    report("retries", try(pool.map, pool, f, { 1 }, { retries = -1 }))
    report("input", try(pool.map, pool, f, 5), try(pool.imap, pool, f, nil))
    report("args", try(pool.apply, pool, f, 5))
    report("colon", try(pool.map, f, { 1 }))
    report("three", #process.active_children())
    local three <close> = process.Pool(3)
    report("four", #process.active_children())
    report("default", #three:stats().workers)
  ]]

  it("must make sense", function()
    support.mentions(out.processes, "1 or more expected, got 0", "got -1", "got 1.5")
    support.mentions(out.kind, "table expected, got string")
    for i = 1, 4 do support.mentions(out["max " .. i], "maxtasksperchild", "1 or more") end
    support.mentions(out.unknown, "unknown option 'process'")
    support.mentions(out.option, "unknown option 'chunk' for 'map'", "chunksize")
    support.mentions(out.chunk, "bad option 'chunksize' for 'map'", "for 'imap'")
    support.mentions(out.timeout, "'timeout'")
    support.mentions(out.retries, "'retries'")
    support.mentions(out.input, "list or iterator expected, got number", "got nil")
    support.mentions(out.args, "list of arguments expected")
    support.mentions(out.colon, "colon")
  end)
  it("say how many workers there are", function()
    assert.equal("1", out.three)
    assert.equal("4", out.four)
    assert.equal("3", out.default)
  end)
end)

describe("a registered metatable", function()
  local out = support.fixture [[
    local Point = {}
    Point.__index = Point
    function Point.new(x) return setmetatable({ x = x }, Point) end
    function Point:twice() return Point.new(self.x * 2) end
    process.register("Point", Point)

    local pool <close> = process.Pool(2)
    local points = pool:map(function(x) return Point.new(x):twice() end, { 1, 2, 3 })
    report("made", getmetatable(points[1]) == Point, points[3].x)
    report("sent", pool:apply(function(p) return getmetatable(p) == Point end, { Point.new(1) }))
    report("twice", process.loads(process.dumps{ Point, Point })[2] == Point)
    local Late = {}
    process.register("Late", Late)
    report("late", try(pool.apply, pool, function() return Late end))
  ]]

  it("is the receiver's own in a task's function, too", function()
    assert.equal("true 6", out.made)
    assert.equal("true", out.sent)
    assert.equal("true", out.twice)
  end)
  it("must be known there", function()
    support.mentions(out.late, "no metatable is registered as 'Late' here")
  end)
end)

describe("what is called while a list is encoded", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(1)
    local inner, shared = nil, { process.list { 1 }, process.list { 2 }, process.list { 3 } }
    local env = setmetatable({}, { __index = function(_, name)
      if name ~= "made" then return _G[name] end
      inner = inner or pool:map_async(function(l) return l[1] end, shared, { chunksize = 3 })
      return 5
    end })
    local calling = load("return made", "=calling", "t", env)
    local function call(x) return type(x) == "function" and x() or x[1] end
    local got = pool:map(call, { { "a" }, shared[3], calling, { "c" } }, { chunksize = 4 })
    report("outer", table.concat(got, " "))
    report("inner", table.concat(inner:get(), " "))
  ]]

  it("may call map, too", function()
    assert.equal("a 3 5 c", out.outer)
    assert.equal("1 2 3", out.inner)
  end)
end)
