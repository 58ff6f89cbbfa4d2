-- Deadlocks: every process of the program is asleep, and nobody else can wake one.

local support = require "spec.support"

-- Seconds in which this is found and the program has ended, for the slowest machine.
local SOON = 20

describe("a main program that joins workers which wait for more work", function()
  local out = support.fixture([[
    local jobs = process.Queue{ name = "jobs" }
    local seen = process.Queue()
    local workers = {}
    for i = 1, 3 do
      workers[i] = process.Process{ name = "worker " .. i, target = function()
        for job in jobs:items() do seen:put(job) end
      end }:start()
    end
    for i = 1, 20 do
      jobs:put(i)
      seen:get()
    end
    local seconds, ok, message = fx.timed(pcall, workers[1].join, workers[1])
    report("join", ok, message)
    report("seconds", seconds)
    report("again", try(workers[1].join, workers[1]))
    jobs:shutdown()
    for _, worker in ipairs(workers) do worker:join() end
    report("codes", workers[1].exitcode, workers[2].exitcode, workers[3].exitcode)
  ]])

  it("raises in the main program, again and again", function()
    assert.matches("^false [^ ]+:%d+: deadlock: all processes are asleep$", out.join)
    assert.matches("deadlock: all processes are asleep$", out.again)
    assert.is_true(tonumber(out.seconds) < SOON, out.seconds)
  end)
  it("says so on stderr, once, with a line for each process", function()
    local expected = { "mpl: deadlock: all processes are asleep" }
    for line in out().stderr:gmatch "[^\n]+" do
      local text = line:gsub("%(pid %d+%)", "(pid)")
      assert.equal(table.remove(expected, 1) or text, text)
      expected[1] = expected[1] or ({
        ["mpl: deadlock: all processes are asleep"] =
          "  MainProcess (pid) waits for the end of worker 1",
        ["  MainProcess (pid) waits for the end of worker 1"] =
          "  worker 1 (pid) waits for an item of Queue 'jobs'",
        ["  worker 1 (pid) waits for an item of Queue 'jobs'"] =
          "  worker 2 (pid) waits for an item of Queue 'jobs'",
        ["  worker 2 (pid) waits for an item of Queue 'jobs'"] =
          "  worker 3 (pid) waits for an item of Queue 'jobs'",
      })[text]
    end
    assert.equal(1, support.count(out().stderr, "all processes are asleep"))
    assert.equal(5, select(2, out().stderr:gsub("\n", "")))
  end)
  it("goes on if that is caught", function() assert.equal("0 0 0", out.codes) end)
end)

describe("all asleep, uncaught", function()
  it("ends the program with status 1, and its processes with it", function()
    local result = support.run [[
      local never = process.Event{ name = "never" }
      local full = process.Queue{ maxsize = 1, name = "full" }
      full:put(1)
      process.Process{ name = "putter", target = full.put, args = { full, 2 } }:start()
      local d = process.Process{ name = "daemon", target = never.wait, args = { never } }
      d.daemon = true
      d:start()
      never:wait()
    ]]
    assert.equal(1, result.status)
    support.mentions(result.stderr, "waits for room in Queue 'full'", "daemon (pid ",
      "MainProcess (pid ", "waits for Event 'never'", ":8: deadlock: all processes are asleep")
    assert.equal(1, support.count(result.stderr, "mpl: deadlock: all processes are asleep\n  Main"))
    assert.is_true(result.elapsed < SOON)
  end)

  it("ends the implicit join of the main program, too", function()
    local result = support.run [[
      local q = process.Queue{ name = "empty" }
      for i = 1, 3 do
        process.Process{ name = "getter " .. i, target = q.get, args = { q } }:start()
      end
      process.atexit(print, "at exit")
      print "the script has ended"
    ]]
    assert.equal(1, result.status)
    assert.equal("the script has ended\nat exit\n", result.stdout)
    support.mentions(result.stderr, "MainProcess (pid ", "waits for the end of getter",
      "getter 1 (pid ", "deadlock: all processes are asleep")
    assert.equal(1, support.count(result.stderr, "mpl: deadlock: all processes are asleep\n  Main"))
    assert.is_true(result.elapsed < SOON)
  end)

  it("ends a cycle with the implicit join", function()
    local result = support.run [[
      local lock = process.Lock{ name = "mine" }
      lock:acquire()
      process.Process{ name = "child", target = lock.acquire, args = { lock } }:start()
      eventually(function()
        local child = process.stats().processes[2]
        return child and child.waits
      end)
    ]]
    assert.equal(1, result.status)
    support.mentions(result.stderr, "deadlock: each of these processes waits",
      "took Lock 'mine', and waits for the end of child", "waits for Lock 'mine'")
  end)

  it("is said in an exit handler, and the program ends", function()
    local result = support.run [[
      local event = process.Event()
      process.atexit(function() event:wait() end)
    ]]
    assert.equal(0, result.status)
    support.mentions(result.stderr, "error in exit handler: ", "deadlock: all processes are asleep")
  end)
end)

describe("all asleep after a death", function()
  it("of which nobody took notice", function()
    local result = support.run [[
      local never, go = process.Event(), process.Event()
      local p = process.Process(function()
        process.Process(function() go:wait() end):start()
        go:wait()
      end):start()
      fx.asleep(p.pid)
      eventually(function() return #process.stats().processes == 3 end)
      p:kill()
      p:join()
      go:set()
      never:wait()
    ]]
    assert.equal(1, result.status)
    assert.is_true(result.elapsed < SOON)
  end)

  it("of the main program: each of those that are left is told, and ends", function()
    local result = support.run [[
      local never = process.Event{ name = "never" }
      for i = 1, 3 do
        local p = process.Process{ name = "left " .. i, target = never.wait, args = { never } }
        fx.asleep(p:start().pid)
      end
      fx.die "KILL"
    ]]
    assert.is_truthy(result.signal == 9 or result.status == 137)
    for i = 1, 3 do
      assert.matches("Process left " .. i .. " %(pid %d+%): [^\n]*deadlock: all processes are "
        .. "asleep", result.stderr)
    end
  end)
end)

describe("a hundred processes that sleep", function()
  local out = support.fixture([[
    local q = process.Queue{ name = "empty" }
    for i = 1, 100 do
      process.Process{ name = "sleeper " .. i, target = q.get, args = { q } }:start()
    end
    report("get", (pcall(q.get, q)))
    q:shutdown()
  ]])

  it("have a line each", function()
    assert.equal("false", out.get)
    for i = 1, 100 do
      assert.matches("\n  sleeper " .. i .. " %(pid %d+%) waits for an item of Queue 'empty'\n",
        out().stderr)
    end
  end)
end)
