-- Values that cross a process boundary, through process.dumps and process.loads.

local process = require "process"

local dumps, loads = process.dumps, process.loads

local function copy(value)
  return loads(dumps(value))
end

-- Runs source in the program's own globals: busted gives its specs an environment that is a table
-- with a metatable, and functions written here would carry it along.
local function run(source)
  return assert(load(source, "=chunk"))()
end

-- Checks that a value cannot be sent, and that the message ends as it should.
local function refuses(value, message)
  local ok, err = pcall(dumps, value)
  assert.is_false(ok)
  assert.are.equal(message, err)
end

describe("numbers", function()
  it("keep value and subtype at every width", function()
    for shift = 0, 63 do
      for _, near in ipairs { -1, 0, 1 } do
        for _, sign in ipairs { 1, -1 } do
          local n = sign * (1 << shift) + near
          local got = copy(n)
          assert.are.equal(n, got)
          assert.are.equal("integer", math.type(got))
        end
      end
    end
    assert.are.equal("float", math.type(copy(1.0)))
  end)

  it("keep every bit of a float", function()
    local patterns = { 0, 1 << 63, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
      0xfff8000000000001, 0x7ff8deadbeef1234, 1, 0x000fffffffffffff, 0x3ff0000000000001 }
    for _, bits in ipairs(patterns) do
      local float = string.unpack("<d", string.pack("<i8", bits))
      local got = string.unpack("<i8", string.pack("<d", copy(float)))
      assert.are.equal(bits, got)
    end
  end)
end)

describe("strings, booleans and nil", function()
  it("arrive as they were", function()
    for _, n in ipairs { 0, 1, 62, 63, 64, 127, 128, 511, 512, 513, 16384, 1048576 } do
      local s = ("\0a\255\n"):rep(n // 4 + 1):sub(1, n)
      assert.is_true(s == copy(s))
      local list = copy { s, 1, s, 2, x = s }
      assert.is_true(list[1] == s and list[3] == s and list.x == s)
      assert.is_true(list[2] == 1 and list[4] == 2)
    end
    assert.is_true(copy(true))
    assert.is_false(copy(false))
    assert.is_nil(copy(nil))
  end)
end)

describe("tables", function()
  it("keep lists, records and mixtures", function()
    local value = { 1, "two", { 3 }, id = 7, name = "x", flag = true, [2.5] = "f", [-1] = "n",
      [false] = 0, [100] = { a = {} } }
    assert.are.same(value, copy(value))
    assert.are.same({}, copy {})
    local large = {}
    for i = 1, 100000 do large[i] = { i, tostring(i) } end
    assert.are.same(large, copy(large))
  end)

  it("keep lists that were filled out of order", function()
    local list = {}
    for i = 50, 1, -1 do list[i] = i end
    local got = copy(list)
    assert.are.equal(50, #got)
    assert.are.same(list, got)
  end)

  it("keep the length of lists with holes", function()
    assert.are.equal(3, #copy { nil, nil, 3 })
    local packed = copy(table.pack(nil, 2, nil, nil))
    assert.are.equal(4, packed.n)
    assert.are.equal(2, packed[2])
    for n = 1, 60 do
      local list = table.pack(table.unpack({}, 1, n))
      list[n] = n
      assert.are.equal(#list, #copy(list))
    end
  end)

  it("do not grow with the border of a sparse table", function()
    for top = 1, 60 do
      local sparse = {}
      for shift = top, 0, -1 do sparse[1 << shift] = true end
      assert.is_true(#dumps(sparse) < 2000)
      assert.are.same(sparse, copy(sparse))
    end
    assert.is_true(#dumps { [1 << 40] = 1 } < 100)
    assert.are.equal(0, #copy { [2] = "x" })
    local one = { 1 }
    one[3] = "x"
    assert.are.equal(1, #copy(one))
  end)

  it("keep cycles, shared parts and themselves as keys", function()
    local t = { name = "t" }
    t.me, t[t] = t, "self"
    t.a = { "shared" }
    t.b = { up = t, also = t.a }
    local got = copy(t)
    assert.are.equal(got, got.me)
    assert.are.equal("self", got[got])
    assert.are.equal(got, got.b.up)
    assert.are.equal(got.a, got.b.also)
    assert.are_not.equal(t, got)
  end)

  it("keep many shared parts apart", function()
    local list = {}
    for i = 1, 1000 do list[i] = { n = i } end
    for i = 1, 1000 do list[1000 + i] = list[i * 7 % 1000 + 1] end
    local got = copy(list)
    for i = 1, 1000 do
      assert.are.equal(i, got[i].n)
      assert.is_true(rawequal(got[1000 + i], got[i * 7 % 1000 + 1]))
    end
  end)

  it("may have keys with parts", function()
    local key = { { {} } }
    local got = copy { [key] = key, [function() return 5 end] = 1 }
    local n = 0
    for k, v in pairs(got) do
      n = n + 1
      if type(k) == "table" then
        assert.are.equal(k, v)
        assert.are.same(key, k)
      else
        assert.are.equal(5, k())
      end
    end
    assert.are.equal(2, n)
  end)

  it("are sent as they are when a traversal has begun and keys change type", function()
    local got = copy { [1] = "integer", ["1"] = "string", [1.5] = "float" }
    assert.are.equal("integer", got[1])
    assert.are.equal("string", got["1"])
    assert.are.equal("float", got[1.5])
  end)

  it("may be nested 200000 deep and no more", function()
    local root = {}
    local leaf = root
    for _ = 2, 200000 do
      leaf.next = { "x" }
      leaf = leaf.next
    end
    local depth, at = 0, copy(root)
    while at do depth, at = depth + 1, at.next end
    assert.are.equal(200000, depth)
    leaf.next = {}
    refuses(root, "cannot send a value nested more than 200000 levels deep: at "
      .. "value.next.next.next.next.next.next.next.next ... "
      .. ".next.next.next.next.next.next.next.next")
  end)
end)

describe("metatables", function()
  it("travel by name", function()
    local Point = { __index = { norm = function(p) return p.x + p.y end } }
    process.register("codec_spec.Point", Point)
    local p = setmetatable({ x = 1, y = 2 }, Point)
    local got = copy { p, p, list = setmetatable({ 1, 2, 3 }, Point) }
    assert.are.equal(Point, getmetatable(got[1]))
    assert.are.equal(3, got[1]:norm())
    assert.are.equal(got[1], got[2])
    assert.are.equal(3, #got.list)
  end)

  it("are not called", function()
    local function trap() error("a metamethod ran") end
    local Trap = { __index = trap, __newindex = trap, __len = trap, __pairs = trap, __eq = trap }
    process.register("codec_spec.Trap", Trap)
    local got = copy(setmetatable({ 1, 2, a = 3 }, Trap))
    assert.are.equal(2, rawget(got, 2))
    assert.are.equal(3, rawget(got, "a"))
    assert.are.equal(2, rawlen(got))
  end)

  it("without a name are refused", function()
    refuses({ shapes = { setmetatable({}, {}) } },
      "cannot send a table whose metatable has no name: at value.shapes[1]; "
      .. "give it one with process.register(name, metatable)")
  end)

  it("may be registered again", function()
    local old, new = {}, {}
    process.register("codec_spec.Again", old)
    local bytes = dumps(setmetatable({}, old))
    process.register("codec_spec.Again", new)
    assert.are.equal(new, getmetatable(loads(bytes)))
    assert.is_false(pcall(dumps, setmetatable({}, old)))
    assert.are.equal(new, getmetatable(copy(setmetatable({}, new))))
  end)

  it("need a name and a table", function()
    assert.has_error(function() process.register() end)
    assert.has_error(function() process.register("", {}) end)
    assert.has_error(function() process.register(5, {}) end)
    assert.has_error(function() process.register("codec_spec.None") end)
  end)
end)

describe("functions", function()
  it("keep their upvalues, the shared ones shared", function()
    local got = copy(run [[
      local n, unset = 10
      return {
        add = function(k) n = n + k return n end,
        get = function() return n, unset end,
      }]])
    assert.are.equal(15, got.add(5))
    assert.are.equal(15, (got.get()))
    assert.is_nil(select(2, got.get()))
  end)

  it("may call themselves and each other", function()
    local got = copy(run [[
      local even, odd
      function even(n) if n == 0 then return true end return odd(n - 1) end
      function odd(n) if n == 0 then return false end return even(n - 1) end
      local function factorial(n) return n < 2 and 1 or n * factorial(n - 1) end
      return { even = even, odd = odd, factorial = factorial }]])
    assert.is_true(got.even(10))
    assert.is_true(got.odd(7))
    assert.are.equal(120, got.factorial(5))
  end)

  it("keep an upvalue that leads back to the value", function()
    local got = copy(run [[
      local object = { n = 1 }
      function object.get() return object end
      object.nested = function() return function() return object.n end end
      return object]])
    assert.are.equal(got, got.get())
    got.n = 2
    assert.are.equal(2, got.nested()())
  end)

  it("use the globals of the receiver", function()
    local f = run "return function() codec_spec_global = (codec_spec_global or 0) + 1 end"
    local got = copy(f)
    got()
    f()
    assert.are.equal(2, run "local n = codec_spec_global codec_spec_global = nil return n")
    assert.are.equal(run "return _G", copy(run "return _G"))
    assert.are.equal(run "return _G", copy(run "return { g = _ENV }").g)
  end)

  it("bring an environment of their own along", function()
    local got = copy(run [[
      local f = load("count = count + step return count", "=env", "t", { count = 1, step = 2 })
      return { f, f }]])
    assert.are.equal(3, got[1]())
    assert.are.equal(5, got[2]())
  end)

  it("keep their debug information", function()
    local got = copy(assert(load("\n\nerror('here')", "@somewhere.lua")))
    local ok, err = pcall(got)
    assert.is_false(ok)
    assert.are.equal("somewhere.lua:3: here", err)
  end)

  it("are stored once, however often they are mentioned", function()
    local make = run [[
      return function(n) return function() return n, "some text to make the code larger" end end]]
    local one, many, same = #dumps { make(1) }, {}, {}
    for i = 1, 100 do
      many[i] = make(i)
      same[i] = many[1]
    end
    assert.is_true(#dumps(many) < one + 100 * 12)
    assert.is_true(#dumps(same) < one + 100 * 4)
    local long = ("x"):rep(5000)
    local got = copy { long, many, long }
    for i = 1, 100 do assert.are.equal(i, (got[2][i]())) end
    got = copy(same)
    assert.are.equal(got[1], got[100])
  end)
end)

describe("values with a name", function()
  local modules = {}

  local function preload(name, loader)
    modules[#modules + 1] = name
    package.preload[name] = loader
    return require(name)
  end

  after_each(function()
    for _, name in ipairs(modules) do
      package.preload[name], package.loaded[name] = nil, nil
    end
    modules = {}
  end)

  it("are C functions of modules", function()
    for _, f in ipairs { print, pcall, string.format, io.open, table.concat, os.time } do
      assert.are.equal(f, copy(f))
    end
    assert.are.equal(dumps, copy { f = dumps }.f)
    local got = copy(run "local f = string.format return function(x) return f('%d', x) end")
    assert.are.equal("3", got(3))
  end)

  it("are modules, wherever they stand", function()
    assert.are.equal(string, copy(string))
    assert.are.equal(process, copy { { process } }[1][1])
    local got = copy(run "local t = table return function() return t end")
    assert.are.equal(table, got())
  end)

  it("are modules that were loaded since", function()
    for i = 1, 3 do
      dumps {}
      local data = preload("codec_spec.data" .. i, function() return { answer = 42 } end)
      assert.are.equal(data, copy(data))
      assert.are.equal(data, copy { data }[1])
    end
    local f = preload("codec_spec.f", function() return function() return "module" end end)
    assert.are.equal(f, copy { f }[1])
  end)

  it("are C functions that a module got since", function()
    local m = preload("codec_spec.late", function() return {} end)
    local wrapped = coroutine.wrap(function() end)
    refuses(wrapped, "cannot send a C function that is not a field of a loaded module: at value")
    m.late = wrapped
    assert.are.equal(wrapped, copy(wrapped))
    m.late = nil
    refuses(wrapped, "cannot send a C function that is not a field of a loaded module: at value")
  end)

  it("are found under the module's new value when it was replaced", function()
    local old = preload("codec_spec.replaced", function() return { "old" } end)
    assert.are.equal(old, copy(old))
    local new = { "new", old }
    package.loaded["codec_spec.replaced"] = new
    local got = copy(old)
    assert.are_not.equal(old, got)
    assert.are.same({ "old" }, got)
    assert.are.equal(new, copy { new }[1])
  end)

  it("are required where they are not loaded", function()
    local loads_seen = 0
    local module = preload("codec_spec.required", function()
      loads_seen = loads_seen + 1
      return { clock = os.clock, n = loads_seen }
    end)
    local bytes = dumps { module }
    package.loaded["codec_spec.required"] = nil
    assert.are.equal(2, loads(bytes)[1].n)
    package.preload["codec_spec.required"], package.loaded["codec_spec.required"] = nil, nil
    local ok, err = pcall(loads, bytes)
    assert.is_false(ok)
    assert.is_truthy(err:find("module 'codec_spec.required' not found", 1, true))
  end)

  it("are refused where the module lacks them", function()
    local f = coroutine.wrap(print)
    preload("codec_spec.lacking", function() return { f = f } end)
    local bytes = dumps(f)
    local message = "cannot receive function 'f': module 'codec_spec.lacking' has none here"
    for _, module in ipairs { {}, 5 } do
      package.loaded["codec_spec.lacking"] = module
      local ok, err = pcall(loads, bytes)
      assert.is_false(ok)
      assert.is_truthy(err:find(message, 1, true))
    end
  end)
end)

describe("shared objects", function()
  it("arrive as themselves", function()
    local event, other = process.Event(), process.Event()
    local got = copy { event, { event }, key = other }
    event:set()
    assert.is_true(got[1]:is_set())
    assert.is_true(got[2][1]:is_set())
    assert.is_false(got.key:is_set())
  end)
end)

describe("what cannot be sent", function()
  local thread = coroutine.create(print)

  it("is named with its path", function()
    refuses(thread, "cannot send a thread: at value")
    refuses({ jobs = { 1, 2, { co = thread } } }, "cannot send a thread: at value.jobs[3].co")
    refuses({ ["odd key"] = io.stdout }, 'cannot send a file: at value["odd key"]')
    refuses({ ['a"\n\\'] = thread }, 'cannot send a thread: at value["a\\"\\x0A\\\\"]')
    refuses({ [1.5] = { [true] = thread } }, "cannot send a thread: at value[1.5][true]")
    refuses({ [{}] = { thread } }, "cannot send a thread: at value[<table>][1]")
    refuses({ [{ thread }] = 1 }, "cannot send a thread: at value<key>[1]")
    refuses({ [thread] = 1 }, "cannot send a thread: at value<key>")
    refuses({ [("k"):rep(100)] = thread },
      'cannot send a thread: at value["' .. ("k"):rep(40) .. '..."]')
  end)

  it("is found in upvalues", function()
    local count = { thread }
    local f = function() return count end
    refuses({ f = f }, "cannot send a thread: at value.f<upvalue count>[1]")
    local stripped = load(string.dump(f, true), "=stripped", "b", thread)
    refuses(stripped, "cannot send a thread: at value<upvalue 1>")
  end)

  it("leaves the codec and the value as they were", function()
    local value = { 1, { "two", x = thread } }
    for _ = 1, 100 do refuses(value, "cannot send a thread: at value[2].x") end
    value[2].x = nil
    assert.are.same(value, copy(value))
  end)
end)

describe("dumps and loads", function()
  local function example()
    local shared = { "shared" }
    return dumps { 1, -5, 2.5, "text", ("long"):rep(200), shared, shared, print,
      run "local n = 1 return function() n = n + 1 return n end", { nested = { true, false } } }
  end

  it("check their arguments", function()
    local expected = "bad argument #1 to 'loads' (string expected, got "
    assert.has_error(function() dumps() end, "bad argument #1 to 'dumps' (value expected)")
    assert.has_error(function() loads() end, expected .. "no value)")
    assert.has_error(function() loads(12) end, expected .. "number)")
  end)

  it("refuse a string that was cut, at every length", function()
    local bytes = example()
    for n = 0, #bytes - 1 do
      local ok, err = pcall(loads, bytes:sub(1, n))
      assert.is_false(ok)
      assert.is_truthy(err:find("damaged message: ", 1, true))
    end
  end)

  it("refuse a string in which any byte was changed", function()
    local bytes = example()
    for i = 1, #bytes do
      for _, mask in ipairs { 1, 0x80, 0xff } do
        local changed = bytes:sub(1, i - 1) .. string.char(bytes:byte(i) ~ mask) .. bytes:sub(i + 1)
        local ok, err = pcall(loads, changed)
        assert.is_false(ok)
        assert.is_truthy(err:find("damaged message: ", 1, true))
      end
    end
  end)

  it("refuse what follows the end, and other strings", function()
    local bytes = example()
    for _, s in ipairs { bytes .. "x", bytes .. bytes, "", "x", ("\0"):rep(100), "\27mpl" } do
      assert.is_false(pcall(loads, s))
    end
    assert.is_true(pcall(loads, bytes))
  end)
end)
