-- Pool: imap and imap_unordered.

local support = require "spec.support"

describe("imap", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local function square(x) return x * x end
    local function range(n) local t = {} for i = 1, n do t[i] = i end return t end
    local function collect(...)
      local t, ordered = {}, true
      for i, v in ... do t[#t + 1] = v; ordered = ordered and i == #t and v == i * i end
      return #t, ordered
    end
    report("all", collect(pool:imap(square, range(500))))
    report("chunks", collect(pool:imap(square, range(1000), 100)))
    local n = 0
    report("iterator", collect(pool:imap(square, function()
      n = n + 1
      if n <= 100 then return n end
    end, 7)))
    local it = pool:imap(square, { 1, 2 })
    report("called", it())
    report("next", it:next(30))
    report("end", it(), it:next(), it:next(0))
    local go = process.Event()
    it = pool:imap(function() go:wait() return "went" end, { 1 })
    report("timeout", it:next(0.02))
    report("zero", it:next(0))
    go:set()
    report("then", it:next())
    local indices, sum = {}, 0
    for i, v in pool:imap_unordered(square, range(300), 3) do
      indices[i] = (indices[i] or 0) + 1
      sum = sum + (v == i * i and 1 or 0)
    end
    report("unordered", #indices, sum)
    -- The first is held until the third was given out.
    local held = process.Event()
    local order = {}
    local function hold(x) if x == 1 then held:wait() end return x end
    for i in pool:imap_unordered(hold, range(3)) do
      order[#order + 1] = i
      if #order == 2 then held:set() end
    end
    report("order", table.concat(order, " "))
    local nils = 0
    for i, v in pool:imap(function() end, range(5)) do nils = nils + (v == nil and i or 0) end
    report("nils", nils)
    report("name", it)
  ]]

  it("gives results with their indices, in order", function()
    assert.equal("500 true", out.all)
    assert.equal("1000 true", out.chunks)
    assert.equal("100 true", out.iterator)
    assert.equal("15", out.nils)
  end)
  it("is an iterator that can be called by hand", function()
    assert.equal("1 1", out.called)
    assert.equal("2 4", out.next)
    assert.equal("nil nil nil", out["end"])
  end)
  it("waits as long as it is told", function()
    assert.equal("nil timeout", out.timeout)
    assert.equal("nil timeout", out.zero)
    assert.equal("1 went", out["then"])
  end)
  it("unordered gives each once, as they finish", function()
    assert.equal("300 300", out.unordered)
    assert.equal("2 3 1", out.order)
  end)
end)

describe("imap's input", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local function id(x) return x end
    local function counter(stop, failure)
      local t = { n = 0 }
      return setmetatable(t, { __call = function()
        if t.n == stop then
          if failure then error(failure, 0) end
          return nil
        end
        t.n = t.n + 1
        return t.n
      end })
    end
    local function ahead(options)
      local input, most, given = counter(200), 0, 0
      for _ in pool:imap(id, input, options) do
        most = math.max(most, input.n - given)
        given = given + 1
      end
      return most, given
    end
    report("ahead", ahead())
    report("chunks", ahead{ chunksize = 3 })
    report("buffer", ahead{ buffer = 10 })
    report("least", ahead{ buffer = 1, chunksize = 5 })
    local unread = counter(1e9)
    local it = pool:imap(id, unread)
    report("at once", unread.n)
    for _ = 1, 5 do it() end
    report("later", unread.n)
    local broken = counter(1e9)
    for i in pool:imap(id, broken) do if i == 10 then break end end
    report("break", broken.n)
    local dropped = setmetatable({}, { __mode = "k" })
    do
      local feed = counter(1e9)
      dropped[feed] = true
      pool:imap(id, feed)()
    end
    local deadline = process.now() + 30
    while next(dropped) and process.now() < deadline do
      pool:map(id, { 1 })
      collectgarbage()
    end
    report("dropped", next(dropped) == nil)
    local function until_error(name, chunk)
      local t, failures = {}, 0
      local iterator = pool[name](pool, id, counter(7, "input"), chunk)
      for _ = 1, 20 do
        local ok, i, v = pcall(iterator)
        if not ok then failures = failures + 1; t[#t + 1] = i
        elseif i then t[#t + 1] = v end
      end
      if name == "imap_unordered" then table.sort(t, function(a, b)
        return tostring(a) < tostring(b)
      end) end
      return table.concat(t, " "), failures
    end
    for _, name in ipairs{ "imap", "imap_unordered" } do
      for _, chunk in ipairs{ 1, 2, 4 } do
        report(name .. chunk, until_error(name, chunk))
      end
    end
    report("at its first", until_error("imap", 10))
    report("map", try(pool.map, pool, id, counter(3, "map's input")))
    local thread = coroutine.create(id)
    local sendable = pool:imap(id, { 1, 2, thread, 4 })
    report("sendable", sendable(), select(2, sendable()))
    report("unsendable", try(sendable), sendable())
    report("function", try(function() pool:imap(function() return thread end, { 1 }) end))
    report("after", table.concat(pool:map(id, { 1, 2 }), " "))
  ]]

  it("is read no further ahead than the buffer", function()
    assert.equal("4 200", out.ahead)
    assert.equal("12 200", out.chunks)
    assert.equal("10 200", out.buffer)
    assert.equal("1 200", out.least)
  end)
  it("is read as results are taken", function()
    assert.equal("4", out["at once"])
    assert.equal("8", out.later)
  end)
  it("is read no more when the loop is left, or the iterator dropped", function()
    assert.equal("13", out["break"])
    assert.equal("true", out.dropped)
  end)
  it("may fail: results of what came before, then its error, once", function()
    assert.equal("1 2 3 4 5 6 7 input 1", out.imap1)
    assert.equal("1 2 3 4 5 6 input 1", out.imap2)
    assert.equal("1 2 3 4 input 1", out.imap4)
    for _, chunk in ipairs { 1, 2, 4 } do
      assert.equal(out["imap" .. chunk], out["imap_unordered" .. chunk])
    end
    assert.equal("input 1", out["at its first"])
    assert.equal("map's input", out.map)
    assert.equal("1 2", out.sendable)
    support.mentions(out.unsendable, "cannot send a thread: at value[3] nil")
    support.mentions(out["function"], "cannot send a thread")
    assert.equal("1 2", out.after)
  end)
end)

describe("imap's errors", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local function picky(x) if x % 3 == 0 then error("three", 0) end return x end
    for _, name in ipairs{ "imap", "imap_unordered" } do
      local iterator, seen, failures = pool[name](pool, picky, { 1, 2, 3, 4, 5, 6, 7 }, 2), 0, 0
      while true do
        local ok, i, v = pcall(iterator)
        if ok and not i then break end
        if ok then
          seen = seen + v
        else
          failures = failures + (i.value == "three" and i.index or 100)
        end
      end
      report(name, seen, failures)
      local yields = {}
      for i, v, e in pool[name](pool, picky, { 1, 2, 3, 4 }, { errors = "yield" }) do
        yields[i] = v or e.kind
      end
      report(name .. " yields", table.concat(yields, " "))
    end
    report("loop", try(function()
      for _ in pool:imap(picky, { 1, 2, 3, 4 }) do end
    end):match "three")
  ]]

  it("are raised at their turn, and the iterator goes on", function()
    assert.equal("19 9", out.imap)
    assert.equal("19 9", out.imap_unordered)
    assert.equal("three", out.loop)
  end)
  it("are given as a third value where asked", function()
    assert.equal("1 2 error 4", out["imap yields"])
    assert.equal("1 2 error 4", out["imap_unordered yields"])
  end)
end)

describe("an item that cannot be sent", function()
  local out = support.fixture [[
    local pool = process.Pool(2)
    local input = { 1, 2, 3, 4, 5, 6, io.stdout, 8 }
    local seen = {}
    local ok, message = pcall(function()
      for _, v in pool:imap(tostring, input) do seen[#seen + 1] = v end
    end)
    report("error", ok, message)
    report("before", table.concat(seen, " "))
    local it = pool:imap(tostring, input)
    pool:close()
    report("join", pcall(pool.join, pool))
    for i = 1, 6 do seen[i] = select(2, it()) end
    report("after", table.concat(seen, " "), pcall(it))
  ]]

  it("is raised after the results of those before it", function()
    support.mentions(out.error, "false", "cannot send a file: at value[7]")
    assert.equal("1 2 3 4 5 6", out.before)
  end)
  it("is nothing to join, but to the iterator", function()
    assert.equal("true", out.join)
    support.mentions(out.after, "1 2 3 4 5 6 false", "cannot send a file: at value[7]")
  end)
end)

describe("an imap that is used by what it calls", function()
  local out = support.fixture [[
    local function same(x) return x end
    local function joined(list)
      table.sort(list)
      return table.concat(list, " ")
    end
    local pool <close> = process.Pool(2)

    local taken, results = {}, pool:imap(same, { 1, 2, 3, 4, 5, 6 })
    local function take()
      local i, v = results()
      taken[#taken + 1] = i == v and v or nil
    end
    for _ = 1, 2 do pool:apply_async(same, { 0 }, nil, { callback = take }) end
    for _, v in results do taken[#taken + 1] = v end
    report("callback", joined(taken))

    local read, given, own = 0, {}, nil
    own = pool:imap(same, function()
      read = read + 1
      local item = read
      pool:map(same, { item })
      if item == 4 then
        local _, v = own()
        given[#given + 1] = v
      end
      return item <= 12 and item or nil
    end, { chunksize = 3, buffer = 3 })
    for _, v in own do given[#given + 1] = v end
    report("input", joined(given))

    local turns, seen, shared = 0, {}, nil
    local function input()
      coroutine.yield()
      turns = turns + 1
      return turns <= 20 and turns or nil
    end
    local first = coroutine.wrap(function() shared = pool:imap(same, input, { chunksize = 3 }) end)
    while not shared do first() end
    local function consume()
      for i, v in shared do seen[#seen + 1] = i == v and v or nil end
    end
    local left = { coroutine.create(consume), coroutine.create(consume) }
    while #left > 0 do
      local co = table.remove(left, 1)
      assert(coroutine.resume(co))
      if coroutine.status(co) ~= "dead" then left[#left + 1] = co end
    end
    report("coroutines", joined(seen))

    local other = process.Pool(2)
    report("terminated", try(other:imap(same, function() other:terminate() return 1 end)))
    local third, count, shut = process.Pool(2), 0, nil
    shut = third:imap(same, function()
      count = count + 1
      if count == 6 then shut:close() end
      return count
    end)
    report("closed", try(function() for _ in shut do end end))
    third:close()
    third:join()
    local fourth = process.Pool(2)
    report("map", try(fourth.map, fourth, same, function() fourth:terminate() end))
  ]]

  it("loses nothing to a callback that takes results", function()
    assert.equal("1 2 3 4 5 6", out.callback)
  end)
  it("loses nothing to an input that takes results", function()
    assert.equal("1 2 3 4 5 6 7 8 9 10 11 12", out.input)
  end)
  it("serves two coroutines, with an input that yields", function()
    assert.equal("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", out.coroutines)
  end)
  it("says what has happened if its input ends it", function()
    support.mentions(out.terminated, "the pool was terminated")
    assert.equal("no error", out.closed)
    support.mentions(out.map, "the pool is terminated")
  end)
end)
