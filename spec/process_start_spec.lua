-- Starting processes from odd places, and what a start does not disturb.

local support = require "spec.support"

describe("a script that starts a process at its top level", function()
  it("needs no guard: nothing runs twice", function()
    local result = support.run [[
      print "top"
      process.Process(print, 123):start():join()
      print "end"
    ]]
    assert.equal("top\n123\nend\n", result.stdout)
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
  end)
end)

describe("a process started", function()
  local out = support.fixture [[
    local q = process.Queue()
    local co = coroutine.wrap(function()
      local p = process.Process(function() q:put(coroutine.isyieldable()) end):start()
      coroutine.yield(p)
      report("coroutine went on", process.getpid() == MAIN)
    end)
    MAIN = process.getpid()
    local p = co()
    report("coroutine", p:join(), p.exitcode, type(q:get()))
    co()

    report("pcall", pcall(function()
      local guard <close> = setmetatable({}, { __close = function() q:put "closed" end })
      local child = process.Process(error, "expected by the spec"):start()
      child:join()
      report("code", child.exitcode)
      return "back"
    end))
    report("closed", q:get(), q:get(false))

    local sorted = { 3, 1, 2 }
    table.sort(sorted, function(a, b)
      process.Process(q.put, q, "compared"):start():join()
      return a < b
    end)
    local compared = q:get_many(100)
    report("sort", table.concat(sorted, " "), #compared >= 2, compared[1])

    local text = ("x"):gsub("x", function()
      local child = process.Process(os.exit, 3):start()
      child:join()
      return child.exitcode
    end)
    report("gsub", text)

    for i = 1, 50 do process.Process(q.put, q, i):start() end
    collectgarbage()
    collectgarbage()
    local sum = 0
    for _ = 1, 50 do sum = sum + q:get() end
    report("dropped", sum, eventually(function() return #process.active_children() == 0 end),
      fx.children())
  ]]

  it("in a coroutine runs its target there and no more", function()
    assert.equal("true 0 boolean", out.coroutine)
    assert.equal("true", out["coroutine went on"])
    assert.equal(1, support.count(out().stdout, "coroutine went on"))
  end)
  it("in a pcall does not fall into it with its error", function()
    assert.equal("true back", out.pcall)
    assert.equal("1", out.code)
    assert.equal("closed nil empty", out.closed)
  end)
  it("inside a C function does not come back into it", function()
    assert.equal("1 2 3 true compared", out.sort)
    assert.equal("3", out.gsub)
  end)
  it("and dropped runs all the same, and is reaped", function()
    assert.equal("1275 true 0", out.dropped)
  end)
end)

describe("the program's end", function()
  it("waits for a process whose object was dropped", function()
    local result = support.run [[
      local ending = process.Event()
      process.Process(function()
        ending:wait()
        fx.asleep(process.getppid())
        print "child"
      end):start()
      collectgarbage()
      collectgarbage()
      print "main"
      ending:set()
    ]]
    assert.equal("main\nchild\n", result.stdout)
    assert.equal(0, result.status)
  end)
end)

describe("a signal that the script handles", function()
  local out = support.fixture [[
    local signal = require "posix.signal"
    local hits = 0
    signal.signal(signal.SIGUSR1, function() hits = hits + 1 end)
    local main, e = process.getpid(), process.Event()
    local function disturb()
      for _ = 1, 3 do
        fx.asleep(main)
        os.execute("kill -USR1 " .. main)
      end
    end
    local function during(f)
      local p = process.Process(disturb):start()
      local seconds, result = fx.timed(f, p)
      p:join()
      return seconds, result
    end
    report("join", select(2, during(function(p) return p:join() end)))
    report("sleep", during(function() process.sleep(0.3) end) >= 0.3)
    report("get", during(function() return (process.Queue():get(0.3)) end) >= 0.3)
    report("wait", during(function() return e:wait(0.3) end) >= 0.3)
    report("hits", hits >= 4)
  ]]

  it("disturbs no wait", function()
    assert.equal("true", out.join)
    for _, wait in ipairs { "sleep", "get", "wait" } do assert.equal("true", out[wait]) end
  end)
  it("is handled", function() assert.equal("true", out.hits) end)
end)
