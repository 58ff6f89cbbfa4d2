-- Globals that go along with functions that are sent.

local process = require "process"
local support = require "spec.support"

local dumps, loads = process.dumps, process.loads

-- Runs source in the program's own globals: busted gives its specs an environment of their own.
local function run(source)
  return assert(load(source, "=chunk"))()
end

local globals = run "return _G"

-- Sends what the source returns to a receiver that has the globals it had before, and `own`.
local function send(source, own)
  local before = {}
  for name, value in next, globals do before[name] = value end
  local sent = dumps(run(source))
  for name in next, globals do
    if before[name] == nil then rawset(globals, name, nil) end
  end
  for name, value in pairs(own or {}) do rawset(globals, name, value) end
  return loads(sent)
end

describe("globals that a function names", function()
  local before = {}

  before_each(function()
    before = {}
    for name in next, globals do before[name] = true end
  end)

  after_each(function()
    for name in next, globals do
      if not before[name] then rawset(globals, name, nil) end
    end
  end)

  it("go along, with those that they name", function()
    local f = send [[
      function one(x) return two(x) + 1 end
      function two(x) return x * FACTOR end
      FACTOR = 10
      return function(x) return one(x) end]]
    assert.are.equal(21, f(2))
    assert.are.equal(10, globals.FACTOR)
  end)

  it("may call themselves and each other", function()
    local got = send [[
      function factorial(n) return n < 2 and 1 or n * factorial(n - 1) end
      function even(n) return n == 0 or odd(n - 1) end
      function odd(n) return n > 0 and even(n - 1) end
      return { f = factorial, g = function(n) return even(n) end }]]
    assert.are.equal(120, got.f(5))
    assert.is_true(got.g(10))
    assert.is_false(globals.odd(10))
  end)

  it("are those of nested functions too", function()
    local f = send [[
      OUTER, INNER = 1, 2
      return function() return function() return function() return OUTER + INNER end end end]]
    assert.are.equal(3, f()()())
  end)

  it("are found where a constant is far or long", function()
    local text, sum = {}, 0
    for i = 1, 400 do
      text[i] = ("n = n + NUMBER%d + %d.5 "):format(i, i)
      sum = sum + 2 * i + 0.5
    end
    local long = ("L"):rep(50)
    local f = send(([[
      for i = 1, 400 do _G["NUMBER" .. i] = i end
      %s = 1
      return function() local n = %s %s return n end]]):format(long, long, table.concat(text)))
    assert.are.equal(1 + sum, f())
  end)

  it("are found in code without debug information", function()
    local f = send [[
      VALUE = 7
      return load(string.dump(function() return VALUE end, true), "=stripped", "b")]]
    assert.are.equal(7, f())
  end)

  it("share what they shared", function()
    local f = send [[
      local store = {}
      function set(k, v) store[k] = v end
      function get(k) return store[k] end
      return function(k, v) set(k, v) return get(k), store end]]
    local value, store = f("a", 5)
    assert.are.equal(5, value)
    assert.are.equal(5, store.a)
  end)

  it("are as they were when the function was sent", function()
    local sent = run [[
      TABLE = { n = 1 }
      local sent = require "process".dumps(function() return TABLE.n end)
      TABLE.n, TABLE = 2, nil
      return sent]]
    assert.are.equal(1, loads(sent)())
  end)

  it("of the receiver stay", function()
    local f = send([[
      NAME, SWITCH, OTHER = "sender", true, "other"
      return function() return NAME, SWITCH, OTHER end]], { NAME = "receiver", SWITCH = false })
    assert.are.same({ "receiver", false, "other" }, { f() })
  end)

  it("that came by a message are replaced by a later one", function()
    local function sent(source)
      local bytes = dumps(run(source))
      globals.NAME, globals.helper, globals.OWN = nil, nil, nil
      return bytes
    end
    local first = sent [[
      NAME, OWN = 1, 1
      function helper() return "old" end
      return function() return NAME, helper(), OWN end]]
    local second = sent [[
      NAME, OWN = 2, 2
      function helper() return "new" end
      return function() return NAME, helper(), OWN end]]
    local f = loads(first)
    assert.are.same({ 1, "old", 1 }, { f() })
    globals.OWN = "changed here"
    loads(second)
    assert.are.same({ 2, "new", "changed here" }, { f() })
  end)

  it("are found where busted keeps those of a spec", function()
    -- luacheck: push ignore
    local function count(t) return select("#", table.unpack(t)) + SPEC_NUMBER end
    local function double(t) return 2 * spec_count(t) end
    rawset(globals, "SPEC_BOTH", "the program's")
    SPEC_NUMBER, spec_count, SPEC_BOTH = 5, count, "the spec's"
    local sent = dumps{ double, function() return SPEC_BOTH end }
    -- luacheck: pop
    globals.SPEC_BOTH = nil
    local got = loads(sent)
    assert.are.equal(14, got[1]{ 1, 2 })
    assert.are.equal("the spec's", got[2]())
    assert.are.equal(5, globals.SPEC_NUMBER)
  end)

  it("of an environment of the script's own are not mixed with the program's", function()
    local own = setmetatable({ x = 5 }, { __index = globals })
    assert.has_error(function() dumps(load("return x", "=own", "t", own)) end,
      "cannot send a table whose metatable has no name: at value<upvalue _ENV>; " ..
      "give it one with process.register(name, metatable)")
    local raising = setmetatable({}, { __index = function() error "no" end })
    assert.is_nil(loads(dumps(load("return x", "=raising", "t", raising)))())
  end)

  it("are modules by name", function()
    local module = { answer = 42, co = coroutine.create(print) }
    package.loaded["codec_globals_spec.module"] = module
    local f = send [[
      short = require "codec_globals_spec.module"
      return function() return short.answer, short end]]
    package.loaded["codec_globals_spec.module"] = nil
    assert.are.same({ 42, module }, { f() })
  end)

  it("are taken from no environment but the globals table", function()
    local f = send [[
      VALUE = 5
      return load("return VALUE", "=env", "t", {})]]
    assert.is_nil(f())
    assert.is_nil(globals.VALUE)
    local both = send [[
      VALUE = 5
      local code = string.dump(function() return VALUE end)
      return { load(code, "=f", "b", { VALUE = 6 }), load(code, "=f", "b") }]]
    assert.are.same({ 6, 5 }, { both[1](), both[2]() })
  end)

  it("do not go along if the function only sets them", function()
    local f = send [[ SET, READ = 1, 2 return function() SET = READ end ]]
    assert.is_nil(globals.SET)
    f()
    assert.are.equal(2, globals.SET)
  end)

  it("are set without metamethods", function()
    setmetatable(globals, { __newindex = error, __index = error })
    local ok, f = pcall(send, "rawset(_G, 'VALUE', 5) return function() return VALUE end")
    setmetatable(globals, nil)
    assert.is_true(ok)
    assert.are.equal(5, f())
  end)

  it("are not set by a message that is refused", function()
    local class = {}
    process.register("codec_globals_spec.Class", class)
    package.loaded["codec_globals_spec.gone"] = { "gone" }
    local sent = run [[
      FIRST, GONE = 1, require "codec_globals_spec.gone"
      local sent = require "process".dumps(function() return FIRST, GONE end)
      FIRST, GONE = nil, nil
      return sent]]
    package.loaded["codec_globals_spec.gone"] = nil
    assert.is_false(pcall(loads, sent))
    assert.is_nil(globals.FIRST)
  end)

  it("cost nothing where there are none, or only Lua's own", function()
    local with = #dumps(run "return function(x) return print(string.format(x, _G, _VERSION)) end")
    local none = #dumps(run [[
      local print, string, _G, _VERSION = nil
      return function(x) return print(string.format(x, _G, _VERSION)) end]])
    assert.is_true(with <= none + 16)
    assert.are.equal(#dumps(run "return function() return ABSENT end"),
      #dumps(run "ABSENT = coroutine.create(print) return function() return ABSENT end"))
  end)

  it("are left out if they cannot be sent", function()
    local f = send [[
      FILE, THREAD, DEEP, NAMELESS = io.stdout, coroutine.create(print), { 1, { { io.stderr } } },
        setmetatable({}, {})
      WRAPPED, GOOD, ENDS = coroutine.wrap(print), { 5 }, { require "process".Pipe() }
      function CAPTURES() return THREAD, LATER end
      local thread = THREAD
      function UPVALUE() return thread end
      LATER = 6
      return function()
        return FILE, THREAD, DEEP, NAMELESS, WRAPPED, ENDS, UPVALUE, GOOD[1], CAPTURES
      end]]
    local got = table.pack(f())
    for i = 1, 7 do assert.is_nil(got[i]) end
    assert.are.equal(5, got[8])
    assert.are.same({ nil, 6 }, { got[9]() })
  end)

  it("are C functions by the name that others know", function()
    for _, alias in ipairs { "a", "log", "printing" } do
      local f = send(("%s = print return { function() return %s end, print }"):format(alias, alias))
      assert.are.equal(print, f[1]())
      assert.are.equal(print, f[2])
    end
  end)

  it("do not hide what is wrong with the value", function()
    local message = "cannot send a thread: at value<upvalue thread>"
    local ok, err = pcall(dumps, run [[
      local thread = coroutine.create(print)
      THREAD = thread
      return function() return THREAD, thread end]])
    assert.is_false(ok)
    assert.are.equal(message, err)
  end)
end)

describe("globals that an environment without any finds", function()
  -- A function in such an environment that returns the globals of these names, each of which is
  -- what `make` gives for it, collected as soon as it may be.
  local function reader(names, make)
    local env = setmetatable({}, { __index = function(_, name)
      collectgarbage()
      return make(name)
    end })
    return load("return " .. table.concat(names, ", "), "=reader", "t", env)
  end

  local NAMES <const> = { "made1", "made2", "made3", "made4", "made5", "made6" }

  local function forget()
    for _, name in ipairs(NAMES) do rawset(globals, name, nil) end
  end

  after_each(forget)

  it("may be made when it is asked", function()
    local got = { loads(dumps(reader(NAMES, function(name) return { { name } } end)))() }
    for i, name in ipairs(NAMES) do assert.are.same({ { name } }, got[i]) end
    forget()
    got = { loads(dumps(reader(NAMES, function(name)
      local own = name
      return function() return own end
    end)))() }
    for i, name in ipairs(NAMES) do assert.are.equal(name, got[i]()) end
  end)

  it("may be long strings", function()
    local queue = process.Queue()
    queue:put(reader(NAMES, function(name) return name:rep(2000) end))
    local got = { queue:get()() }
    for i, name in ipairs(NAMES) do assert.is_true(got[i] == name:rep(2000)) end
  end)

  it("may be shared objects", function()
    local queue = process.Queue()
    queue:put(reader(NAMES, function(name) return process.list { name } end))
    local got = { queue:get()() }
    for i, name in ipairs(NAMES) do assert.are.equal(name, got[i][1]) end
  end)

  it("may be found by what sends something itself", function()
    local f = loads(dumps(reader(NAMES, function(name)
      return loads(dumps { name, reader(NAMES, function() return name end) })
    end)))
    for i, value in ipairs { f() } do assert.are.equal(NAMES[i], value[1]) end
  end)

  it("name others", function()
    local env = {}
    setmetatable(env, { __index = function(_, name)
      local n = tonumber(name:match "^made(%d)$")
      if n == 6 then return 42 end
      return n and load(("return made%d"):format(n + 1), "=made", "t", env)
    end })
    local value = loads(dumps(load("return made1", "=first", "t", env)))
    while type(value) == "function" do value = value() end
    assert.are.equal(42, value)
  end)

  it("are left out where their names are too long to be asked for", function()
    local long = ("n"):rep(200)
    local f = reader({ long, "made1" }, function() return 1 end)
    assert.are.same({ nil, 1 }, { loads(dumps(f))() })
  end)
end)

describe("a process that was forked before", function()
  local out = support.fixture [[
    local tasks, results = process.Queue(), process.Queue()
    package.preload["late.module"] = function(name)
      return { name = name, unsendable = coroutine.create(print) }
    end
    local worker = process.Process(function()
      for f, x in tasks:items() do
        results:put(table.pack(pcall(f, x)))
      end
    end)
    worker:start()

    function helper(x) return limit + #names + x end
    limit, names = 5, { "a", "b" }
    tasks:put(function() return helper(1) end)
    report("globals", table.unpack(results:get()))
    limit = 50
    tasks:put(function() return helper(1) end)
    report("changed", table.unpack(results:get()))

    local late = require "late.module"
    tasks:put(function() return late.name, late == package.loaded["late.module"] end)
    report("module", table.unpack(results:get()))
    tasks:shutdown()
    worker:join()

    local before = process.Queue()
    local child = process.Process(function() results:put{ pcall(before.get, before) } end):start()
    local Later = process.Process:extend("Later")
    before:put(Later{ name = "x" })
    local ok, message = table.unpack(results:get())
    report("class", ok, message:match "no metatable is registered as 'Later")
    report("remedy", message:find("process.register", 1, true) ~= nil,
      message:find("extend", 1, true) ~= nil)
    child:join()
    process.Process(function() before:put(Later{ name = "y" }) end):start():join()
    local got = before:get()
    report("after", got.name, getmetatable(got) == getmetatable(Later()))
  ]]

  it("gets the globals it lacks, and their later values", function()
    assert.are.equal("true 8", out.globals)
    assert.are.equal("true 53", out.changed)
  end)

  it("requires a module", function()
    assert.are.equal("true late.module true", out.module)
  end)

  it("is told which class it lacks, and what to do", function()
    assert.are.equal("false no metatable is registered as 'Later", out.class)
    assert.are.equal("true true", out.remedy)
    assert.are.equal("y true", out.after)
  end)
end)
