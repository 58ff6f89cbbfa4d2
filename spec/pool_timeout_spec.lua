-- Pool: tasks that take too long, and the end of the programs that tasks have started.

local support = require "spec.support"

describe("a task's timeout", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local function busy(x) while x do end return "done" end
    local pid = pool:map(process.getpid, { 1, 2, 3, 4 }, 1)
    local began = process.now()
    local r = pool:apply_async(busy, { true }, nil, { timeout = 0.05 })
    local ok, e = pcall(r.get, r)
    report("busy", ok, getmetatable(e) == process.RemoteError, e.kind, e.value)
    report("in time", process.now() - began >= 0.05, process.now() - began < 5)
    r = pool:apply_async(process.sleep, { 60 }, nil, { timeout = 0.05 })
    ok, e = pcall(r.get, r)
    report("asleep", ok, e.kind)
    local lock = process.Lock()
    lock:acquire()
    r = pool:apply_async(function() lock:acquire() end, {}, nil, { timeout = 0.05 })
    ok, e = pcall(r.get, r)
    report("waiting", ok, e.kind)
    local results = {}
    for i, v, err in pool:imap(busy, { false, true, false, false }, { timeout = 0.05, chunksize = 2,
      errors = "yield" }) do
      results[i] = v or err.kind
    end
    local function spin() while true do end end
    r = pool:apply_async(function() spin() return 1 end, {}, nil, { timeout = 0.05 })
    ok, e = pcall(r.get, r)
    report("traceback", e.traceback)
    report("whose", e.process:match "^PoolWorker%-%d$", e.pid ~= process.getpid())
    r = pool:apply_async(function() process.sleep(60) end)
    fx.eventually(function()
      local w = pool:stats().workers
      return w[1].index or w[2].index
    end)
    process.sleep(0.01)
    r:cancel()
    report("cancelled", select(2, pcall(r.get, r)))
    report("others", table.concat(results, " "))
    ok, e = pcall(pool.map, pool, busy, { false, true, false }, { timeout = 0.05 })
    report("map", ok, e.kind, e.index)
    report("enough", pool:map(busy, { false }, { timeout = 60 })[1])
    report("workers", pool:stats().restarts)
    -- It does not want to end: killed a second later.
    r = pool:apply_async(function()
      while true do pcall(busy, true) end
    end, {}, nil, { timeout = 0.05, retries = 5 })
    ok, e = pcall(r.get, r)
    report("stubborn", ok, e.kind)
    report("goes on", pool:apply(busy, { false }), pool:stats().restarts <= 1)
  ]]

  it("ends it by an error of kind timeout", function()
    support.mentions(out.busy, "false true timeout", "did not end within 0.05 seconds")
    assert.equal("true true", out["in time"])
  end)
  it("says where it was", function()
    support.mentions(out.traceback, "in upvalue 'spin'", "in function <")
    assert.is_nil(out.traceback:find("serve", 1, true))
    assert.matches("^PoolWorker%-%d true$", out.whose)
    support.mentions(out.cancelled, "a task of apply was cancelled",
      "remote traceback (PoolWorker-")
    assert.matches("%[C%]: in function 'process%.[%w.]*sleep'", out.cancelled)
  end)
  it("whatever it waits for", function()
    assert.equal("false timeout", out.asleep)
    assert.equal("false timeout", out.waiting)
  end)
  it("concerns nothing else, not even the worker", function()
    assert.equal("done timeout done done", out.others)
    assert.equal("false timeout 2", out.map)
    assert.equal("done", out.enough)
    assert.equal("0", out.workers)
  end)
  it("cannot be shrugged off", function()
    assert.equal("false timeout", out.stubborn)
    assert.equal("done true", out["goes on"])
  end)
end)

-- The programs are sleeps for so long that nobody else's are; sleeps(n) says how many run.
local PROGRAMS = [[
  local lfs = require "lfs"
  local main = process.getpid()
  local function second(i) return ("%d.%d"):format(100000 + main, i) end
  local function sleeps(i)
    local n = 0
    for entry in lfs.dir "/proc" do
      local file = entry:match "^%d+$" and io.open("/proc/" .. entry .. "/cmdline", "rb")
      if file then
        if file:read "a" == "sleep\0" .. second(i) .. "\0" then n = n + 1 end
        file:close()
      end
    end
    return n
  end
  local function gone(i) return fx.eventually(function() return sleeps(i) == 0 end) end
  local function sleep(i) return "sleep " .. second(i) end
  local function two(i) return sleep(i) .. " & " .. sleep(i) .. "; true" end
  local function kind_of(r)
    local ok, e = pcall(r.get, r)
    return ok or e.kind
  end
]]

describe("the end of a task that has started programs", function()
  local out = support.fixture(PROGRAMS .. [[
    local pool <close> = process.Pool(1)
    local options = { timeout = 0.1 }
    local helper = pool:apply(function()
      local program = io.popen("echo $$; exec " .. sleep(0))
      fx.helper = program -- not to be collected
      return program:read "n"
    end)
    process.sleep(0.05) -- the kernel tells times of starts apart only if there is one between
    local r = pool:apply_async(os.execute, { two(1) }, nil, options)
    report("execute", kind_of(r), gone(1))
    r = pool:apply_async(function() return io.popen(two(2)):read "a" end, {}, nil, options)
    report("popen", kind_of(r), gone(2))
    r = pool:apply_async(os.execute, { two(3) })
    fx.eventually(function() return sleeps(3) == 2 end)
    report("cancel", r:cancel(), kind_of(r), gone(3))
    r = pool:apply_async(function()
      pcall(os.execute, two(4))
      os.execute "sleep 0.2; printf 'cleaned\tup\n'"
    end, {}, nil, options)
    report("cleanup", kind_of(r), gone(4))
    report("helper", fx.state(helper))
    report("worker", pool:stats().restarts)
    os.execute("kill -KILL " .. helper)
  ]])

  it("kills them at once, and the worker goes on", function()
    assert.equal("timeout true", out.execute)
    assert.equal("timeout true", out.popen)
    assert.equal("true cancelled true", out.cancel)
    assert.equal("0", out.worker)
  end)
  it("lets it clean up with the help of others", function()
    assert.equal("timeout true", out.cleanup)
    assert.equal("up", out.cleaned)
  end)
  it("spares those of earlier tasks", function()
    assert.equal("S", out.helper)
  end)
end)

describe("the death of a worker whose task does not end", function()
  local out = support.fixture(PROGRAMS .. [[
    local go, pids = process.Event(), process.Queue()
    local function start_members()
      process.Process{ daemon = false, target = function()
        local program = io.popen("echo $$; exec " .. sleep(3))
        pids:put(program:read "n")
        go:wait()
      end }:start()
      process.Pool(1):apply_async(os.execute, { two(4) })
    end
    local function stubborn(i, prepare)
      if prepare then prepare() end
      while true do pcall(os.execute, two(i)) end
    end
    local late <close> = process.Pool(1)
    local cancelled <close> = process.Pool(1)
    local a = late:apply_async(stubborn, { 1 }, nil, { timeout = 0.1 })
    local b = cancelled:apply_async(stubborn, { 2, start_members })
    fx.eventually(function() return sleeps(2) == 2 and sleeps(3) == 1 and sleeps(4) == 2 end)
    b:cancel()
    report("late", kind_of(a), gone(1))
    report("cancelled", kind_of(b), gone(2))
    report("daemon", gone(4))
    local pid = pids:get()
    report("member", fx.state(pid))
    report("goes on", late:apply(math.abs, { -1 }), cancelled:apply(math.abs, { -2 }))
    report("replaced", late:stats().restarts, cancelled:stats().restarts)
    go:set()
    os.execute("kill -KILL " .. pid)
  ]])

  it("kills all programs that the worker has started", function()
    assert.equal("timeout true", out.late)
    assert.equal("cancelled true", out.cancelled)
  end)
  it("kills its daemons with theirs", function()
    assert.equal("true", out.daemon)
  end)
  it("spares other children and their programs", function()
    assert.equal("S", out.member)
  end)
  it("leaves a pool with a new worker", function()
    assert.equal("1 2", out["goes on"])
    assert.equal("1 1", out.replaced)
  end)
end)

describe("the end of a pool whose tasks have started programs", function()
  local out = support.fixture(PROGRAMS .. [[
    do
      local pool <close> = process.Pool(2)
      for i = 1, 2 do pool:apply_async(os.execute, { two(i) }) end
      report("run", fx.eventually(function() return sleeps(1) + sleeps(2) == 4 end))
    end
    report("close", gone(1), gone(2))
    local pool = process.Pool(1)
    pool:apply(function() fx.helper = io.popen(sleep(3)) end)
    fx.eventually(function() return sleeps(3) == 1 end)
    local r = pool:apply_async(function()
      process.Pool(1):apply(os.execute, { two(4) })
    end)
    report("nested", fx.eventually(function() return sleeps(4) == 2 end))
    pool:terminate()
    report("terminate", gone(3), gone(4), kind_of(r))
  ]])

  it("kills them, too", function()
    assert.equal("true", out.run)
    assert.equal("true true", out.close)
  end)
  it("whichever task has started them, and those of a pool in a task", function()
    assert.equal("true", out.nested)
    assert.equal("true true terminated", out.terminate)
  end)
end)

describe("the function of a task", function()
  local out = support.fixture [[
    local main = process.getpid()
    package.preload.slow = function()
      while process.getpid() ~= main do end
      return {}
    end
    local pool <close> = process.Pool(1)
    local slow = require "slow" -- the workers are there already
    local r = pool:apply_async(function() return slow end, {}, nil, { timeout = 0.05 })
    report("late", select(2, pcall(r.get, r)).kind)
    report("worker", pool:apply(math.abs, { -1 }), pool:stats().restarts)
  ]]

  it("is decoded in the task's time", function()
    assert.equal("timeout", out.late)
    assert.equal("1 0", out.worker)
  end)
end)
