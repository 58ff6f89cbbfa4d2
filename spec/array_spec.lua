-- Array and RawArray: elements of one type in shared memory.

local support = require "spec.support"

describe("an array", function()
  local out = support.fixture [[
    local seq = { 680, 626, 934, 821, 150, 233, 548, 982, 714, 831 }
    for _, make in ipairs { "Array", "RawArray" } do
      local a = process[make]("i", seq)
      report(make .. " made", #a, a[4], a[1], a[10])
      a:assign(5, { 1, 2, 3 })
      seq[5], seq[6], seq[7] = 1, 2, 3
      report(make .. " assigned", table.concat(a:slice(3, 8), ","), table.concat(seq, ",", 3, 8))
      process.Process(function()
        for i = 2, #a do a[i] = a[i] + a[i - 1] end
      end):start():join()
      for i = 2, #seq do seq[i] = seq[i] + seq[i - 1] end
      report(make .. " running sum", table.concat(a:slice(), ",") == table.concat(seq, ","), a[10])
      seq = { 680, 626, 934, 821, 150, 233, 548, 982, 714, 831 }
    end
    for letter in ("bBhHiIlLqQfd"):gmatch "." do
      local a = process.Array(letter, 3)
      local zero = a[1] == 0 and a[2] == 0 and a[3] == 0
      a[2] = 100
      a[3.0] = 7
      report(letter, zero, a[1] == 0, a[2] == 100, a[3] == 7, a[2.0] == 100, math.type(a[1]))
    end
    local from, n = process.Array("h", { -1, 2, -3 }), 0
    for i, x in ipairs(from) do n = n + i * x end
    report("ipairs", n)
    report("copied", process.Array("d", from), from == process.Array("h", from))
    local lazy = setmetatable({}, { __len = function() return 4 end,
                                    __index = function(_, i) return i * i end })
    report("lazy", process.Array("i", lazy))
    report("packed", process.Array("i", { n = 3, 1 }), process.Array("d", table.pack(nil, 2.5)),
      process.Array("c", { n = 2, "a" }), process.Array("i", { n = 1, 7, 8 }),
      process.RawArray("i", { n = 0, 7 }))
    local part = process.Array("i", { 1, 2, 3, 4 })
    part:assign(2, { n = 2, 9 })
    report("assigned", part, try(part.assign, part, 3, { n = 3 }))
    report("no count", process.Array("i", { n = "x", 5 }), try(process.Array, "i", { n = -1 }),
      try(process.Array, "i", { n = 2, 1, "x" }))
    report("empty", #process.Array("i", 0), #process.Array("i", {}), process.Array("d", {}),
      #process.Array("i", 0):slice(), process.Array("i", 0):bytes() == "")
    report("field", try(function() return from.no_such_field end))
  ]]

  for _, make in ipairs { "Array", "RawArray" } do
    it("of " .. make .. " is read and changed by every process", function()
      assert.equal("10 821 680 831", out[make .. " made"])
      assert.equal("934,821,1,2,3,982 934,821,1,2,3,982", out[make .. " assigned"])
      assert.equal("true 5594", out[make .. " running sum"])
    end)
  end
  it("of any type begins with zeros", function()
    for letter in ("bBhHiIlLqQ"):gmatch "." do
      assert.equal("true true true true true integer", out[letter])
    end
    for letter in ("fd"):gmatch "." do
      assert.equal("true true true true true float", out[letter])
    end
  end)
  it("works with ipairs", function() assert.equal("-6", out.ipairs) end)
  it("is made of anything that has a length", function()
    assert.equal("Array('d', {-1.0, 2.0, -3.0}) false", out.copied)
    assert.equal("Array('i', {1, 4, 9, 16})", out.lazy)
  end)
  it("takes a table's n for its length, as table.pack makes it", function()
    assert.equal("Array('i', {1, 0, 0}) Array('d', {0.0, 2.5}) Array('c', \"a\\000\") " ..
      "Array('i', {7}) RawArray('i', {})", out.packed)
    support.mentions(out.assigned, "Array('i', {1, 9, 0, 4}) ", "not within 1 to 4")
    support.mentions(out["no count"], "Array('i', {5}) ", "that length", "element 2: type 'i'")
  end)
  it("may be empty", function() assert.equal("0 0 Array('d', {}) 0 true", out.empty) end)
  it("has no other fields", function()
    support.mentions(out.field, "Array: no field 'no_such_field'", "integer")
  end)
end)

describe("an index", function()
  local out = support.fixture [[
    local a = process.Array("i", { 10, 20, 30 })
    report("behind", a[4])
    for name, i in pairs { zero = 0, negative = -1, far = 5, least = math.mininteger, float = 1.5,
                           huge = 2^63, nan = 0 / 0 } do
      report("read " .. name, try(function() return a[i] end))
    end
    for name, i in pairs { zero = 0, negative = -1, behind = 4, far = 5, float = 1.5, text = "1",
                           yes = true, word = "slice" } do
      report("write " .. name, try(function() a[i] = 1 end))
    end
    report("value", try(function() a[2] = 2147483648 end))
    report("unchanged", a)
    report("empty", process.Array("i", 0)[1], try(function() return process.Array("i", 0)[0] end))
  ]]

  it("right behind the end reads nil", function()
    assert.equal("nil", out.behind)
    assert.truthy(out.empty:match "^nil .*empty")
  end)
  it("out of range is an error", function()
    for name, shown in pairs { zero = "index 0", negative = "index -1", far = "index 5",
        least = "index -9223372036854775808", float = "index 1.5", huge = "index 9.22",
        nan = "nan" } do
      support.mentions(out["read " .. name], "Array", shown, "1 to 3")
    end
    for name, shown in pairs { zero = "0", negative = "-1", behind = "4", far = "5",
                               float = "1.5" } do
      support.mentions(out["write " .. name], "Array", "index " .. shown, "1 to 3")
    end
  end)
  it("that is no number is an error of a write", function()
    for name, shown in pairs { text = "'1'", yes = "true", word = "slice" } do
      support.mentions(out["write " .. name], "Array", shown, "integer")
    end
  end)
  it("is named with what the type does not take", function()
    support.mentions(out.value, "Array", "index 2", "'i'", "-2147483648 to 2147483647, not 2147")
    assert.equal("Array('i', {10, 20, 30})", out.unchanged)
  end)
end)

describe("making an array", function()
  local out = support.fixture [[
    report("type", try(process.Array, "x", {}))
    report("raw type", try(process.RawArray, "x", {}))
    report("negative", try(process.Array, "i", -1))
    report("fraction", try(process.Array, "i", 1.5))
    report("nothing", try(process.Array, "i"))
    report("string", try(process.Array, "i", "10"))
    report("element", try(process.Array, "b", { 1, 2, 300, 4 }))
    local function list(n) return setmetatable({}, { __len = function() return n end }) end
    report("hole", try(process.Array, "b", list(2)))
    report("length", try(process.Array, "b", list(-1)))
    report("huge length", try(process.Array, "b", list(math.maxinteger)))
    report("huge", try(process.Array, "d", 1 << 61), try(process.Array, "d", math.maxinteger))
    report("option", try(process.Array, "d", 1, { look = 1 }))
    report("lock", try(process.Array, "d", 1, { lock = 1 }))
    local lock = process.Lock()
    report("locks", process.Array("d", 1, { lock = lock }):get_lock() == lock,
      tostring(process.Array("d", 1):get_lock()), process.Array("d", 1, { lock = false }))
    report("no lock", try(function() process.RawArray("d", 1):get_lock() end))
    collectgarbage()
    collectgarbage()
    report("left", process.stats().objects.Array)
  ]]

  it("checks the type", function()
    support.mentions(out.type, "Array", "bad type", "'x'")
    support.mentions(out["raw type"], "bad type", "'x'")
  end)
  it("checks number and list", function()
    support.mentions(out.negative, "Array", "0 or more")
    support.mentions(out.fraction, "integer")
    support.mentions(out.nothing, "list expected")
    support.mentions(out.string, "list expected, got string")
    support.mentions(out.length, "length")
    assert.not_equal("no error", out["huge length"])
    assert.equal(2, support.count(out.huge, "out of shared memory"))
  end)
  it("names the element that does not fit", function()
    support.mentions(out.element, "Array", "element 3", "'b'", "-128 to 127", "300")
    support.mentions(out.hole, "element 1", "'b'", "nil")
  end)
  it("takes the same locks as a value", function()
    support.mentions(out.option, "look")
    support.mentions(out.lock, "'lock'")
    assert.equal("true <RLock(None, 0)> RawArray('d', {0.0})", out.locks)
    support.mentions(out["no lock"], "get_lock", "lock")
  end)
  it("leaves nothing behind", function() assert.equal("nil", out.left) end)
end)

describe("parts of an array", function()
  local out = support.fixture [[
    local list = { 1, 2, 3, 4, 5 }
    local a = process.Array("i", list)
    local text = "\1\2\3\4\5"
    local b = process.Array("B", list)
    local same = true
    for i = -7, 7 do
      for j = -7, 7 do
        local expected = text:sub(i, j)
        local slice = a:slice(i, j)
        same = same and #slice == #expected and b:bytes(i, j) == expected
        for k, x in ipairs(slice) do same = same and x == expected:byte(k) end
      end
      same = same and #a:slice(i) == #text:sub(i) and b:bytes(i) == text:sub(i)
    end
    report("as string.sub", same, #a:slice(), #a:slice(nil, 2),
      #a:slice(math.mininteger, math.maxinteger), #a:slice(math.maxinteger, math.mininteger))
    report("plain", getmetatable(a:slice()), type(a:slice()))
    report("slice wrong", try(a.slice, a, "x"))
    report("slice more", try(a.slice, a, 1, 2, 3))

    report("assign", select("#", a:assign(2, { 20, 30 })), a)
    a:assign(4, process.Array("h", { 40, 50 }))
    report("assign array", a)
    a:assign(1, a)
    a:assign(6, {})
    report("assign itself", a)
    report("too long", try(a.assign, a, 4, { 1, 2, 3 }))
    report("before", try(a.assign, a, 0, { 1 }))
    report("negative", try(a.assign, a, -1, { 1 }))
    report("behind", try(a.assign, a, 6, { 1 }), try(a.assign, a, 7, {}))
    report("bad element", try(a.assign, a, 1, { 7, 7, "x" }))
    report("bad value", try(a.assign, a, 1, { 7, 7, 2^31 }))
    report("raising", try(a.assign, a, 1, setmetatable({ 7 }, { __len = function() return 2 end,
      __index = function() error "my error" end })))
    report("not a list", try(a.assign, a, 1, 7))
    report("still", a)

    a:fill(7)
    report("fill", a)
    a:fill(8, 2)
    a:fill(9, 3, 4)
    a:fill(5, 3, 2)
    a:fill(5, 6)
    report("fill parts", a)
    local tail = process.Array("i", { 1, 2, 3, 4 })
    tail:fill(0, -3, -2)
    report("fill from the end", tail)
    report("fill wrong", try(a.fill, a, 2^31))
    report("fill before", try(a.fill, a, 1, 0))
    report("fill behind", try(a.fill, a, 1, 1, 6))
    report("fill order", try(a.fill, a, 1, 4, 2))
    report("filled", a)
  ]]

  it("are those of string.sub", function()
    assert.equal("true 5 2 5 0", out["as string.sub"])
    assert.equal("nil table", out.plain)
    support.mentions(out["slice wrong"], "slice", "number")
    support.mentions(out["slice more"], "argument")
  end)
  it("are assigned", function()
    assert.equal("0 Array('i', {1, 20, 30, 4, 5})", out.assign)
    assert.equal("Array('i', {1, 20, 30, 40, 50})", out["assign array"])
    assert.equal("Array('i', {1, 20, 30, 40, 50})", out["assign itself"])
  end)
  it("are assigned wholly or not at all", function()
    support.mentions(out["too long"], "assign", "3 elements from index 4", "1 to 5")
    support.mentions(out.before, "assign", "index 0")
    support.mentions(out.negative, "assign", "index -1")
    assert.equal(2, support.count(out.behind, "not within 1 to 5"))
    support.mentions(out["bad element"], "assign", "element 3", "'i'", "string")
    support.mentions(out["bad value"], "assign", "element 3", "'i'", "2147483647")
    support.mentions(out.raising, "my error")
    support.mentions(out["not a list"], "assign", "list expected")
    assert.equal("Array('i', {1, 20, 30, 40, 50})", out.still)
  end)
  it("are filled", function()
    assert.equal("Array('i', {7, 7, 7, 7, 7})", out.fill)
    assert.equal("Array('i', {7, 8, 9, 9, 8})", out["fill parts"])
    assert.equal("Array('i', {1, 0, 0, 4})", out["fill from the end"])
    for _, name in ipairs { "wrong", "before", "behind", "order" } do
      support.mentions(out["fill " .. name], "bad argument", "fill")
    end
    assert.equal("Array('i', {7, 8, 9, 9, 8})", out.filled)
  end)
end)

describe("bytes of an array", function()
  local out = support.fixture [[
    local same = true
    local formats = { b = "b", B = "B", h = "=h", H = "=H", i = "=i4", I = "=I4", l = "=i8",
      L = "=I8", q = "=i8", Q = "=I8", f = "=f", d = "=d" }
    for letter, format in pairs(formats) do
      local a = process.Array(letter, { 1, 2, 100 })
      local packed = string.pack(format, 1) .. string.pack(format, 2) .. string.pack(format, 100)
      same = same and a:bytes() == packed and a:bytes(2, 2) == string.pack(format, 2)
      a:set_bytes(2, string.pack(format, 50) .. string.pack(format, 51))
      same = same and a[1] == 1 and a[2] == 50 and a[3] == 51
    end
    report("as string.pack", same)
    local q = process.Array("Q", 2)
    report("part of one", try(q.set_bytes, q, 1, "1234567"))
    report("too many", try(q.set_bytes, q, 2, ("x"):rep(16)))
    report("no integer", try(q.set_bytes, q, 1, ("\0"):rep(8) .. ("\255"):rep(8)))
    report("no string", try(q.set_bytes, q, 1, 12345678))
    report("left", q)
    q:set_bytes(3, "")

    local c = process.Array("c", "hello")
    report("c", c[1], c[5], c[6], c, c:bytes(2, -2), c.value)
    c[1] = "J"
    c:set_bytes(4, "?")
    report("c changed", c.value)
    report("c element", try(function() c[1] = "ab" end))
    c.value = "ab"
    report("c value", c.value, c)
    c.value = "12345"
    report("c full", c.value)
    report("c too long", try(function() c.value = "123456" end))
    report("c slice", table.concat(c:slice(2, 4), "-"))
    c:assign(2, { "x", "y" })
    c:assign(5, "!")
    report("c assign", c)
    c:fill("z", 1, 2)
    report("c fill", c.value)
    report("c zeros", process.Array("c", 3), process.Array("c", 3).value == "")
    report("value of others", try(function() return q.value end))
    report("set value", try(function() q.value = "x" end))
    process.Process(function() c.value = "child" end):start():join()
    report("c child", c.value)
  ]]

  it("are those of string.pack", function() assert.equal("true", out["as string.pack"]) end)
  it("are written back if they are whole elements that fit", function()
    support.mentions(out["part of one"], "set_bytes", "7 bytes", "'Q'", "8 bytes")
    support.mentions(out["too many"], "set_bytes", "2 elements from index 2", "1 to 2")
    support.mentions(out["no integer"], "set_bytes", "math.maxinteger")
    support.mentions(out["no string"], "set_bytes", "string")
    assert.equal("Array('Q', {0, 0})", out.left)
  end)
  it("are strings of one byte in type c", function()
    assert.equal([[h o nil Array('c', "hello") ell hello]], out.c)
    assert.equal("Jel?o", out["c changed"])
    support.mentions(out["c element"], "index 1", "'c'", "one byte", "2 bytes")
    assert.equal("2-3-4", out["c slice"])
    assert.equal([[Array('c', "1xy4!")]], out["c assign"])
    assert.equal("zzy4!", out["c fill"])
    assert.equal([[Array('c', "\000\000\000") true]], out["c zeros"])
  end)
  it("have a value in type c, up to a zero", function()
    assert.equal([[ab Array('c', "ab\000?o")]], out["c value"])
    assert.equal("12345", out["c full"])
    support.mentions(out["c too long"], "value", "6", "5")
    support.mentions(out["value of others"], "no field 'value'")
    support.mentions(out["set value"], "value")
    assert.equal("child", out["c child"])
  end)
end)

describe("atomic changes of elements", function()
  local out = support.fixture [[
    local a = process.Array("b", { 1, 120, -120 })
    report("add", a:add(1, 5), a:add(2, -20), a)
    report("overflow", try(a.add, a, 3, -100))
    report("index", try(a.add, a, 4, 1))
    report("zero", try(a.exchange, a, 0, 1))
    report("negative", try(a.compare_and_set, a, -1, 1, 1))
    report("exchange", a:exchange(1, 9), a[1])
    report("cas", a:compare_and_set(1, 8, 7), a:compare_and_set(1, 9, 7), a[1])
    report("wrong", try(a.exchange, a, 1, 128))
    report("after", a)

    -- Neighbouring bytes, a process for each, and one byte for all.
    local b = process.Array("B", 5)
    local ps = {}
    for i = 1, 4 do
      ps[i] = process.Process(function()
        for _ = 1, 40 do
          for _ = 1, 255 do b:add(i, 1) end
          b:exchange(i, 0)
          b:add(5, 1)
        end
        b[i] = i
      end):start()
    end
    for _, p in ipairs(ps) do p:join() end
    report("together", b)
  ]]

  it("are those of a value", function()
    assert.equal("6 100 Array('b', {6, 100, -120})", out.add)
    support.mentions(out.overflow, "add", "-120 + -100", "'b'", "-128 to 127")
    assert.equal("6 9", out.exchange)
    assert.equal("false true 7", out.cas)
    support.mentions(out.wrong, "exchange", "'b'", "128")
    assert.equal("Array('b', {7, 100, -120})", out.after)
  end)
  it("check the index", function()
    support.mentions(out.index, "add", "index 4", "1 to 3")
    support.mentions(out.zero, "exchange", "index 0", "1 to 3")
    support.mentions(out.negative, "compare_and_set", "index -1", "1 to 3")
  end)
  it("leave their neighbours alone", function()
    assert.equal("Array('B', {1, 2, 3, 4, 160})", out.together)
  end)
end)

describe("an array as an object", function()
  local out = support.fixture [[
    local a = process.Array("d", 1000000)
    local shown = tostring(a)
    report("shown", shown:match "^Array%('d', {0.0, 0.0, .*%.%.%.}%)$" ~= nil, #shown < 80)
    report("shown bytes", #tostring(process.Array("c", 1000)) < 90)
    a[1000000] = 0.5
    local q = process.Queue()
    process.Process(function() q:get()[1] = 0.25 end):start()
    q:put(a)
    eventually(function() return a[1] == 0.25 end)
    q:put{ a, a }
    local two = q:get()
    report("sent", two[1] == a, two[2] == a, two[1][1000000])
    local sum = 0
    for i = 1, #a do sum = sum + a[i] end
    report("sum", sum)
    collectgarbage()
    collectgarbage()
    report("kinds", process.stats().objects.Array)
    report("self", try(a.slice, process.Value("i", 1)))
  ]]

  it("is shown on a line", function()
    assert.equal("true true", out.shown)
    assert.equal("true", out["shown bytes"])
  end)
  it("is the same object wherever it is sent", function()
    assert.equal("true true 0.5", out.sent)
    assert.equal("0.75", out.sum)
  end)
  it("has methods for arrays only", function()
    support.mentions(out.self, "Array expected, got Value")
    assert.equal("1", out.kinds)
  end)
end)

describe("an array that is too large", function()
  local out = support.fixture([[
    report("too large", try(process.Array, "d", 10000000))
    local list = {}
    for i = 1, 1000000 do list[i] = i end
    report("list", try(process.Array, "d", list))
    list = nil
    local before = process.stats().arena.used
    -- Each needs more than half of what there is: the one before has to be collected.
    for i = 1, 20 do
      local a = process.Array("d", 600000)
      a[600000] = i
    end
    report("reused", "yes")
    local keep = process.Array("q", 600000)
    keep[1] = 1
    report("full", try(process.Array, "d", 600000))
    report("kept", keep[1], keep:add(600000, 1), #keep)
    keep = nil
    collectgarbage()
    collectgarbage()
    report("given back", process.stats().arena.used == before)
    report("zeros", process.Array("q", 600000)[600000])
  ]], { env = { MPL_SHM_SIZE = "8M" } })

  it("is an error that changes nothing", function()
    support.mentions(out["too large"], "out of shared memory")
    support.mentions(out.list, "out of shared memory")
    support.mentions(out.full, "out of shared memory")
    assert.equal("1 1 600000", out.kept)
  end)
  it("gets the memory of arrays that are garbage", function()
    assert.equal("yes", out.reused)
    assert.equal("true", out["given back"])
    assert.equal("0", out.zeros)
  end)
end)
