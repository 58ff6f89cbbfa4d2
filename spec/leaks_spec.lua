-- process.stats() by kind and by process, and the list that MPL_LEAKS=1 asks for.

local support = require "spec.support"

local LISTED = { env = { MPL_LEAKS = "1" } }

describe("process.stats()", function()
  local out = support.fixture [[
    local lock, q, event = process.Lock{ name = "l" }, process.Queue(), process.Event{ name = "e" }
    local function of(name)
      for _, p in ipairs(process.stats().processes) do
        if p.name == name then return p end
      end
      return {}
    end
    report("alone", #process.stats().processes, of("MainProcess").pid == process.getpid(),
      of("MainProcess").references, of("MainProcess").waits)
    local p = process.Process{ name = "p", target = function()
      local own = process.Queue()
      event:wait()
      own:put(1)
    end }:start()
    eventually(function() return of("p").waits end)
    report("p", of("p").pid == p.pid, of("p").references, of("p").waits)
    local kinds = process.stats().objects
    report("kinds", kinds.Lock, kinds.Queue, kinds.Event)
    event:set()
    p:join()
    report("after", #process.stats().processes, process.stats().objects.Queue, of("p").pid)
    q:put(process.Lock())
    collectgarbage()
    report("in a queue", process.stats().objects.Lock, of("MainProcess").references)
    q:get()
    collectgarbage()
    report("got", process.stats().objects.Lock)
    local arena = process.stats().arena
    report("arena", arena.used > 0, arena.used <= arena.populated, arena.populated <= arena.cap)
  ]]

  it("tells who there is, what they refer to and what they wait for", function()
    assert.equal("1 true 3 nil", out.alone)
    assert.equal("true 4 waits for Event 'e'", out.p)
    assert.equal("1 1 nil", out.after)
  end)
  it("counts objects by kind, those in queues included", function()
    assert.equal("1 2 1", out.kinds)
    assert.equal("2 3", out["in a queue"])
    assert.equal("1", out.got)
  end)
  it("knows the arena", function() assert.equal("true true true", out.arena) end)
end)

describe("process.stats() while others come, wait and go", function()
  local out = support.fixture [[
    local q, stop = process.Queue(2), process.Event()
    local function churn()
      while not stop:is_set() do
        local own = process.Queue{ name = "own" }
        own:put(("x"):rep(3000))
        q:put(own, true, 0.001)
        q:get(true, 0.001)
        own = nil
        collectgarbage()
      end
    end
    local crowd = {}
    for i = 1, 3 do crowd[i] = process.Process{ name = "churner", target = churn }:start() end
    local texts, wrong = 0, 0
    local begin = process.now()
    while process.now() < begin + 1 do
      for _, p in ipairs(process.stats().processes) do
        texts = texts + 1
        local waits = p.waits or "waits for room in Queue #1 made at x"
        local known = waits:match "^waits for an item of Queue #%d+ made at [^ ]+$"
          or waits:match "^waits for room in Queue #%d+ made at [^ ]+$"
        if not known or (p.name ~= "churner" and p.name ~= "MainProcess") then wrong = wrong + 1 end
      end
    end
    stop:set()
    for _, p in ipairs(crowd) do p:join() end
    report("wrong", wrong, texts > 100)
  ]]

  it("tells nothing that was not so", function() assert.equal("0 true", out.wrong) end)
end)

describe("MPL_LEAKS=1", function()
  it("lists at the end what is still referred to, by name or place, and by whom", function()
    local result = support.run([[
      lock = process.Lock{ name = "books" }
      queue = process.Queue()
      queue:put(process.Event{ name = "in transit" })
    ]], LISTED)
    assert.equal(0, result.status)
    local lines = {}
    for line in result.stderr:gmatch "[^\n]+" do
      lines[#lines + 1] = line:gsub("/[^ ]*:(%d)", "FILE:%1")
    end
    assert.same({
      "mpl: still referred to at the end of the program:",
      "  Lock 'books', held by MainProcess",
      "  Queue #2 made at FILE:2, held by MainProcess",
      "  Event 'in transit', held by other objects",
    }, lines)
  end)

  it("lists it once: children do not", function()
    local result = support.run([[
      lock = process.Lock{ name = "books" }
      for _ = 1, 3 do process.Process(function() own = process.Queue() end):start() end
      process.Process(function() os.exit(0) end):start():join()
    ]], LISTED)
    assert.equal(1, support.count(result.stderr, "still referred to"))
    assert.equal(0, support.count(result.stderr, "Queue"))
  end)

  it("has one line for an object, whatever its name, none for the lock in it", function()
    local result = support.run([[
      value, c = process.Value("i", 1, { name = "a\nb" }), process.Condition{ name = "c" }
    ]], LISTED)
    assert.equal("mpl: still referred to at the end of the program:\n" ..
      "  Value 'a?b', held by MainProcess\n  Condition 'c', held by MainProcess\n", result.stderr)
  end)

  it("is silent if nothing is left", function()
    local result = support.run([[
      local lock, q = process.Lock(), process.Queue()
      q:put{ process.Event(), lock }
      process.Process(q.get, q):start():join()
    ]], LISTED)
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
  end)

  it("lists also at os.exit and after an error", function()
    local ends = { ["os.exit(3)"] = 3, ["error 'expected'"] = 1, ["os.exit(4, true)"] = 4 }
    for last, status in pairs(ends) do
      local result = support.run("lock = process.Lock{ name = 'left' } " .. last, LISTED)
      assert.equal(status, result.status)
      assert.equal(1, support.count(result.stderr, "  Lock 'left', held by MainProcess\n"))
    end
  end)

  it("does not list what the dead referred to", function()
    local result = support.run([[
      local p = process.Process(function()
        own = process.Queue{ name = "of the dead" }
        own:put(1)
        process.sleep(60)
      end):start()
      eventually(function() return process.stats().objects.Queue end)
      p:kill()
    ]], LISTED)
    assert.equal("", result.stderr)
  end)
end)

describe("without MPL_LEAKS=1", function()
  for value, env in pairs{ unset = {}, zero = { MPL_LEAKS = "0" }, empty = { MPL_LEAKS = "" } } do
    it("nothing is listed: " .. value, function()
      assert.equal("", support.run("lock = process.Lock()", { env = env }).stderr)
    end)
  end
end)
