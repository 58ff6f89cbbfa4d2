-- Value and RawValue: a number in shared memory.

local support = require "spec.support"

describe("a value", function()
  local out = support.fixture [[
    local start = { i = 7, d = 3.5, h = -20, q = 2^33 // 1 | 0, c = "x", f = 0.25, B = 200 }
    local change = { i = -7, d = 2 / 3, h = 30, q = -(2^40 // 1 | 0), c = "\0", f = -1.5, B = 0 }
    for _, make in ipairs { "Value", "RawValue" } do
      for letter, x in pairs(start) do
        local v = process[make](letter, x)
        local before = v.value == x and math.type(v.value) == math.type(x)
        process.Process(function() v.value = change[letter] end):start():join()
        report(make .. letter, before, v.value == change[letter])
      end
    end
    for letter in ("bBhHiIlLqQ"):gmatch "." do
      local v = process.Value(letter)
      report("default " .. letter, v.value)
    end
    report("other defaults", process.Value("d").value, process.Value("f", nil).value,
      #process.Value("c").value, process.Value("c").value == "\0")
    local v = process.Value("i", 3.0)
    report("whole float", v.value)
    v.value = -8.0
    report("whole float set", v.value)
    local d = process.Value("d", 5)
    report("integer", d.value)
    d.value = 1 / 0
    report("inf", d.value)
    d.value = 0 / 0
    report("nan", d.value ~= d.value)
    report("field", try(function() return v.no_such_field end))
    report("methods", rawequal(v, v), v == process.Value("i", -8))
  ]]

  for _, make in ipairs { "Value", "RawValue" } do
    it("of " .. make .. " shows what was given and what another process sets", function()
      for letter in ("idhqcfB"):gmatch "." do
        assert.equal("true true", out[make .. letter])
      end
    end)
  end
  it("is zero by default", function()
    for letter in ("bBhHiIlLqQ"):gmatch "." do assert.equal("0", out["default " .. letter]) end
    assert.equal("0.0 0.0 1 true", out["other defaults"])
  end)
  it("takes whole floats as integers, integers as floats", function()
    assert.equal("3", out["whole float"])
    assert.equal("-8", out["whole float set"])
    assert.equal("5.0", out.integer)
  end)
  it("holds inf and nan", function()
    assert.equal("inf", out.inf)
    assert.equal("true", out.nan)
  end)
  it("has no other fields, and is equal to itself alone", function()
    support.mentions(out.field, "Value: no field 'no_such_field'", "v.value")
    assert.equal("true false", out.methods)
  end)
end)

describe("the range of", function()
  local out = support.fixture [[
    local ranges = { b = { -128, 127 }, B = { 0, 255 }, h = { -32768, 32767 }, H = { 0, 65535 },
      i = { -2147483648, 2147483647 }, I = { 0, 4294967295 },
      l = { math.mininteger, math.maxinteger }, q = { math.mininteger, math.maxinteger },
      L = { 0, math.maxinteger }, Q = { 0, math.maxinteger } }
    for letter, range in pairs(ranges) do
      local v = process.Value(letter, range[1])
      local low = v.value
      v.value = range[2]
      report(letter, low == range[1] and v.value == range[2])
      local refused = {}
      local wrong = { 0.5, 2^63, -2^63 - 2^12, "7", true, 1 / 0, 0 / 0, {},
        range[1] > math.mininteger and range[1] - 1 or 2^64,
        range[2] < math.maxinteger and range[2] + 1 or 2^64 }
      for i, x in ipairs(wrong) do
        refused[i] = not pcall(function() v.value = x end)
        refused[i] = refused[i] and not pcall(process.Value, letter, x)
        refused[i] = refused[i] and not pcall(v.exchange, v, x)
        refused[i] = refused[i] and not pcall(v.compare_and_set, v, range[2], x)
      end
      local all = #refused == #wrong
      for _, yes in ipairs(refused) do all = all and yes end
      report("refused " .. letter, all, v.value == range[2])
    end
    local v, f, c = process.Value("i", 1), process.Value("f", 1), process.Value("c", "x")
    report("set", try(function() v.value = 2147483648 end))
    report("fraction", try(function() v.value = 1.5 end))
    report("string", try(function() v.value = "12" end))
    report("nil", try(function() v.value = nil end))
    report("f", try(function() f.value = 1e300 end), f.value)
    f.value = -1 / 0
    report("f inf", f.value)
    report("c", try(function() c.value = "ab" end), c.value)
    report("c empty", try(function() c.value = "" end))
    report("c number", try(function() c.value = 7 end))
    report("constructor", try(process.Value, "B", -1))
    report("type", try(process.Value, "x", 1))
    report("no type", try(process.Value))
    report("long type", try(process.RawValue, "ii", 1))
    report("field", try(function() v.valeu = 1 end))
    report("index", try(function() v[1] = 1 end))
    report("arguments", try(process.Value, "i", 1, nil, 4))
    report("option", try(process.Value, "i", 1, { lcok = false }))
  ]]

  it("each integer type is kept to, never wrapped", function()
    for letter in ("bBhHiIlLqQ"):gmatch "." do
      assert.equal("true", out[letter])
      assert.equal("true true", out["refused " .. letter])
    end
  end)
  it("a type is named in errors", function()
    support.mentions(out.set, "Value", "'i'", "-2147483648", "2147483647", "2147483648")
    support.mentions(out.fraction, "Value", "'i'", "integer", "1.5")
    support.mentions(out.string, "'i'", "integer", "string")
    support.mentions(out["nil"], "'i'", "nil")
    support.mentions(out.f, "'f'", "1e+300")
    support.mentions(out.constructor, "Value", "'B'", "0 to 255", "-1")
    assert.truthy(out.f:match " 1%.0$")
    assert.equal("-inf", out["f inf"])
  end)
  it("c is one byte", function()
    support.mentions(out.c, "'c'", "one byte")
    assert.truthy(out.c:match " x$")
    support.mentions(out["c empty"], "one byte", "0")
    support.mentions(out["c number"], "one byte", "7")
  end)
  it("types is said when there is no such type", function()
    support.mentions(out.type, "Value", "'x'", "c b B h H i I l L q Q f d")
    support.mentions(out["no type"], "type")
    support.mentions(out["long type"], "'ii'")
  end)
  it("fields and options is said", function()
    support.mentions(out.field, "valeu", "value")
    support.mentions(out.index, "1")
    support.mentions(out.arguments, "argument")
    support.mentions(out.option, "lcok")
  end)
end)

describe("the lock of a value", function()
  local out = support.fixture [[
    local v = process.Value("i", 5)
    report("own", tostring(v:get_lock()), v:get_lock() == v:get_lock(), v:get_obj() == v)
    report("default", tostring(process.Value("i", 5, {}):get_lock()),
      tostring(process.Value("i", 5, { lock = true }):get_lock()))
    report("again", v:get_lock():acquire(), v:get_lock():acquire())
    v:get_lock():release()
    v:get_lock():release()
    report("other", v:get_lock() ~= process.Value("i", 5):get_lock())
    local lock, rlock = process.Lock(), process.RLock()
    report("given", process.Value("i", 5, { lock = lock }):get_lock() == lock,
      process.Array("i", 5, { lock = rlock }):get_lock() == rlock)
    local raw = process.Value("i", 5, { lock = false })
    report("raw", raw.value, tostring(raw))
    report("raw lock", try(raw.get_lock, raw))
    report("raw obj", try(raw.get_obj, raw))
    report("RawValue lock", try(function() return process.RawValue("i"):get_lock() end))
    report("raw option", try(process.RawValue, "i", 1, { lock = lock }))
    for name, wrong in pairs { string = "x", number = 1, table = {}, ["function"] = print,
                               event = process.Event(), value = v } do
      report("wrong " .. name, try(process.Value, "i", 1, { lock = wrong }))
    end

    -- The lock lives as long as something refers to it.
    local count = process.stats().objects
    local held = process.Value("i", 1):get_lock()
    collectgarbage()
    collectgarbage()
    report("outlives", held:acquire(), held:release())
    held, v, raw = nil, nil, nil
    collectgarbage()
    collectgarbage()
    report("gone", process.stats().objects.Value)

    local n, ps = process.Value("i", 0), {}
    for i = 1, 10 do
      ps[i] = process.Process(function()
        for _ = 1, 100 do
          local h <close> = n:get_lock():hold()
          n.value = n.value + 1
        end
      end):start()
    end
    for _, p in ipairs(ps) do p:join() end
    report("counted", n.value)

    local p = process.Process(function()
      n:get_lock():acquire()
      os.exit(0)
    end):start()
    p:join()
    report("abandoned", n:get_lock():acquire(10))
  ]]

  it("is a lock of its own that its holder may take again", function()
    support.mentions(out.own, "RLock", "true true")
    assert.truthy(out.default:match "^<RLock.*<RLock")
    assert.equal("true true", out.again)
    assert.equal("true", out.other)
  end)
  it("may be given", function() assert.equal("true true", out.given) end)
  it("may be none", function()
    assert.equal("5 RawValue('i', 5)", out.raw)
    support.mentions(out["raw lock"], "get_lock", "lock")
    support.mentions(out["raw obj"], "lock")
    support.mentions(out["RawValue lock"], "lock")
    support.mentions(out["raw option"], "lock")
  end)
  it("is nothing else", function()
    for _, name in ipairs { "string", "number", "table", "function", "event", "value" } do
      support.mentions(out["wrong " .. name], "'lock'", "must be a lock")
    end
  end)
  it("lives as long as it is referred to", function()
    assert.equal("true", out.outlives)
    assert.equal("nil", out.gone)
  end)
  it("makes groups of reads and writes one", function() assert.equal("1000", out.counted) end)
  it("is taken over from the dead", function() assert.equal("true abandoned", out.abandoned) end)
end)

describe("atomic changes", function()
  local out = support.fixture [[
    local v, d = process.Value("b", 120), process.RawValue("d", 0.5)
    report("add", v:add(7), v:add(-255), v.value, v:add(2.0))
    v.value = 127
    report("overflow", try(function() v:add(1) end), v.value)
    report("wide", try(function() v:add(math.maxinteger) end), v.value)
    report("float", d:add(1), d:add(-0.25), d.value)
    report("fraction", try(v.add, v, 0.5))
    report("string", try(v.add, v, "1"))
    report("none", try(v.add, v))
    report("missing", try(v.exchange, v), try(v.add), try(process.Value))
    local q = process.Value("Q", math.maxinteger)
    report("Q", try(q.add, q, 1), q.value == math.maxinteger)
    local c = process.Value("c", "a")
    report("c", try(c.add, c, 1))
    report("exchange", v:exchange(1), v.value, c:exchange("z"), c.value, d:exchange(7), d.value)
    report("cas", v:compare_and_set(2, 3), v.value, v:compare_and_set(1, 3), v.value)
    report("cas c", c:compare_and_set("y", "x"), c:compare_and_set("z", "x"), c.value)
    d.value = -0.0
    report("cas d", d:compare_and_set(0.0, 1), d:compare_and_set(1, 0 / 0),
      d:compare_and_set(0 / 0, 1))
    report("arguments", try(v.add, v, 1, 2))

    local counts = { process.Value("i", 0), process.Value("q", 0), process.Value("d", 0) }
    local mine = process.Value("H", 0)
    local ps = {}
    for i = 1, 4 do
      ps[i] = process.Process(function()
        for _ = 1, 5000 do
          for _, count in ipairs(counts) do count:add(1) end
          repeat local now = mine.value until mine:compare_and_set(now, now + 1)
        end
      end):start()
    end
    for _, p in ipairs(ps) do p:join() end
    report("together", counts[1].value, counts[2].value, counts[3].value, mine.value)

    -- Killed at any moment, the count is what its process had said or one more.
    local said, good = process.RawValue("q", 0), true
    for i = 1, 40 do
      local n = process.Value("q", 0)
      said.value = 0
      local p = process.Process(function() while true do said.value = n:add(1) end end):start()
      eventually(function() return said.value > i end)
      p:kill()
      p:join()
      good = good and (n.value == said.value or n.value == said.value + 1)
    end
    report("killed", good)
  ]]

  it("return the sum", function()
    assert.equal("127 -128 -128 -126", out.add)
    assert.equal("1.5 1.25 1.25", out.float)
  end)
  it("do not overflow", function()
    support.mentions(out.overflow, "add", "127 + 1", "-128 to 127")
    assert.truthy(out.overflow:match " 127$")
    assert.truthy(out.wide:match " 127$")
    support.mentions(out.Q, "'Q'", "out of range", "true")
  end)
  it("refuse what is no number of the type", function()
    support.mentions(out.fraction, "add", "integer")
    support.mentions(out.string, "add", "number expected")
    support.mentions(out.none, "add", "number expected")
    assert.equal(3, support.count(out.missing, "got no value"))
    support.mentions(out.missing, "Value expected, got no value; call it with a colon")
    support.mentions(out.c, "add", "'c'")
    support.mentions(out.arguments, "argument")
  end)
  it("exchange values", function() assert.equal("127 1 a z 1.25 7.0", out.exchange) end)
  it("compare and set", function()
    assert.equal("false 1 true 3", out.cas)
    assert.equal("false true x", out["cas c"])
    assert.equal("true true false", out["cas d"])
  end)
  it("are atomic between processes", function()
    assert.equal("20000 20000 20000.0 20000", out.together)
  end)
  it("have happened or not when their process is killed", function()
    assert.equal("true", out.killed)
  end)
end)

describe("a value as an object", function()
  local out = support.fixture [[
    local v = process.Value("i", 42)
    report("shown", v, process.RawValue("d", 1.5), process.Value("c", "\0"),
      process.Value("c", '"'))
    local q = process.Queue()
    q:put{ v = v }
    local sent = q:get().v
    report("sent", sent == v, sent.value)
    v = nil
    q:put(process.Value("i", 8))
    collectgarbage()
    local other = q:get()
    report("only in the queue", other.value, other:get_lock():acquire())
    other:get_lock():release()
    process.Process(function(x) x.value = x.value + 1 end, other):start():join()
    report("argument", other.value)
    local back = process.Queue()
    process.Process(function()
      back:put(process.Value("h", 77))
    end):start():join()
    local made = back:get()
    report("made by a child", made.value, made:get_lock():acquire(false))
    report("kinds", process.stats().objects.Value)
    report("wrong self", try(made.add, process.Lock(), 1))
    report("array self", try(made.add, process.Array("i", 1), 1))
    report("sent method", process.loads(process.dumps(made.add)) == made.add)
    local named = process.Value("i", 1, { name = "count" })
    named:get_lock():acquire()
    local p = process.Process(function() named:get_lock():acquire() end):start()
    local waits
    eventually(function()
      for _, one in ipairs(process.stats().processes) do waits = one.waits or waits end
      return waits
    end)
    report("named", waits)
    p:kill()
    p:join()
  ]]

  it("shows its kind, type and value", function()
    assert.equal([[Value('i', 42) RawValue('d', 1.5) Value('c', "\000") Value('c', "\"")]],
      out.shown)
  end)
  it("is the same object wherever it is sent", function()
    assert.equal("true 42", out.sent)
    assert.equal("8 true", out["only in the queue"])
    assert.equal("9", out.argument)
    assert.equal("77 true", out["made by a child"])
  end)
  it("is counted by kind", function() assert.equal("3", out.kinds) end)
  it("has methods for values only", function()
    support.mentions(out["wrong self"], "Value expected, got Lock")
    support.mentions(out["array self"], "Value expected, got Array")
    assert.equal("true", out["sent method"])
  end)
  it("gives its lock its name", function() support.mentions(out.named, "RLock 'count'") end)
end)
