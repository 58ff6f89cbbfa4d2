-- Pool: its beginning and its end.

local support = require "spec.support"

describe("close and join", function()
  local out = support.fixture [[
    local pool = process.Pool(2)
    local function square(x) return x * x end
    report("join first", try(pool.join, pool))
    local list = pool:map_async(square, { 1, 2, 3 })
    local it = pool:imap(square, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })
    pool:close()
    report("closed", pool)
    report("refuses", try(pool.apply, pool, square, { 1 }), try(pool.map, pool, square, {}),
      try(pool.imap, pool, square, {}), try(pool.map_async, pool, square, {}))
    pool:join()
    report("joined", pool, #process.active_children(), fx.children())
    report("results", table.concat(list:get(), " "))
    local sum = 0
    for _, v in it do sum = sum + v end
    report("iterator", sum)
    pool:join()
    pool:close()
    pool:terminate()
    pool:join()
    report("again", pool)
  ]]

  it("come in this order", function()
    support.mentions(out["join first"], "close or terminate it first")
    support.mentions(out.refuses, "apply: the pool is closed", "map: the pool is closed",
      "imap: the pool is closed", "map_async: the pool is closed")
  end)
  it("finish what there is", function()
    assert.equal("<Pool state=joined pool_size=2> 0 0", out.joined)
    assert.equal("1 4 9", out.results)
    assert.equal("385", out.iterator)
  end)
  it("may be repeated", function() assert.equal("<Pool state=joined pool_size=2>", out.again) end)
end)

describe("terminate", function()
  local out = support.fixture [[
    local pool = process.Pool(3)
    local failed = 0
    local list, results = {}, {}
    for i = 1, 10000 do list[i] = i end
    local many = pool:map_async(function() process.sleep(1000) end, list, 1)
    for i = 1, 5 do
      results[i] = pool:apply_async(process.sleep, { 1000 }, nil, { error_callback = function(e)
        failed = failed + (e.kind == "terminated" and 1 or 0)
      end })
    end
    local it = pool:imap(process.sleep, { 1000, 1000 })
    local took = fx.timed(pool.terminate, pool)
    report("took", took < 0.2 or took)
    report("workers", #process.active_children(), fx.children())
    local ok, e = pcall(many.get, many)
    report("map", ok, e.kind, tostring(e))
    ok, e = pcall(results[5].get, results[5])
    report("apply", ok, e.kind, failed)
    ok, e = pcall(it)
    report("imap", ok, e.kind, it())
    report("refuses", try(pool.map, pool, print, { 1 }))
    pool:join()
    report("state", pool)
    do
      local scoped <close> = process.Pool(2)
      scoped:map_async(process.sleep, { 1000, 1000 }, 1)
    end
    report("scope", fx.children())
    report("error", try(function()
      local scoped <close> = process.Pool(2)
      error("within", 0)
    end), fx.children())
  ]]

  it("loses nothing that finished tasks have written", function()
    local result = support.run [[
      local process = require "process"
      local pool <close> = process.Pool(2)
      pool:map(function(i) io.write(i, " ") end, { 1, 2, 3, 4 }, 1)
      pool:apply(function() io.write("end"); pcall(error); error("failed") end)
    ]]
    assert.equal(1, result.status)
    assert.equal(4, select(2, result.stdout:gsub("%d ", "")))
    support.mentions(result.stdout, "end")
  end)
  it("ends 10,000 queued tasks and the workers at once", function()
    assert.equal("true", out.took)
    assert.equal("0 0", out.workers)
  end)
  it("fails what had not finished", function()
    support.mentions(out.map, "false terminated", "terminated before map had finished")
    assert.equal("false terminated 5", out.apply)
    assert.equal("false terminated nil", out.imap)
    support.mentions(out.refuses, "the pool is terminated")
    assert.equal("<Pool state=terminated pool_size=3>", out.state)
  end)
  it("is what the end of a scope does", function()
    assert.equal("0", out.scope)
    assert.equal("within 0", out.error)
  end)
end)

describe("a pool that is forgotten", function()
  it("ends with the program, with status 0", function()
    local r = support.run [[
      pool = process.Pool(3)
      report("sum", #pool:map(math.abs, { 1, 2, 3 }))
      pool:map_async(process.sleep, { 1000, 1000, 1000, 1000 }, 1)
    ]]
    assert.equal(0, r.status)
    assert.equal("", r.stderr)
  end)
  it("ends with the program's error", function()
    local r = support.run [[
      local pool = process.Pool(2)
      pool:map(error, { "no luck" })
    ]]
    assert.equal(1, r.status)
    assert.equal(1, support.count(r.stderr, "remote traceback"))
  end)
  it("ends when it is collected", function()
    local out = support.fixture [[
      do
        local pool = process.Pool(2)
        pool:map(math.abs, { 1, 2 })
      end
      report("gone", eventually(function()
        collectgarbage()
        return #process.active_children() == 0
      end))
    ]]
    assert.equal("true", out.gone)
  end)
  it("ends with its owner, who was killed", function()
    local r = support.run [[
      local pool = process.Pool(2)
      pool:map(math.abs, { 1, 2 })
      fx.die "KILL"
    ]]
    assert.equal(137, r.signal and 128 + r.signal or r.status)
  end)
end)

describe("Ctrl-C", function()
  local calls = {
    map = "pool:map(process.sleep, { 60, 60, 60 }, 1)",
    apply = "pool:apply(process.sleep, { 60 })",
    imap = "for _ in pool:imap(process.sleep, { 60, 60 }) do end",
    get = "pool:apply_async(process.sleep, { 60 }):get()",
    join = "pool:apply_async(process.sleep, { 60 }) pool:close() pool:join()",
  }
  for name, call in pairs(calls) do
    it("in " .. name .. " gives one traceback and leaves nobody", function()
      local run = support.start("local pool = process.Pool(2)\npool:map(math.abs, { 1, 2 })\n"
        .. "report('ready', 1)\n" .. call)
      run:wait_for "ready"
      run:wait_asleep()
      run:signal("INT", -run:pid())
      local r = run:finish()
      assert.equal(2, r.signal or r.status - 128)
      assert.equal(1, support.count(r.stderr, "stack traceback"))
      assert.equal(1, support.count(r.stderr, "interrupted!"))
    end)
  end
  it("that is caught leaves the pool usable", function()
    local run = support.start [[
      local pool <close> = process.Pool(2)
      report("ready", 1)
      report("caught", pcall(pool.map, pool, process.sleep, { 60, 60, 60, 60 }, 1))
      report("then", table.concat(pool:map(math.abs, { -1, -2, -3 }, 1), " "))
    ]]
    run:wait_for "ready"
    run:wait_asleep()
    run:signal "INT"
    local r = run:finish()
    assert.equal(0, r.status)
    support.mentions(r.stdout, "caught\tfalse", "interrupted!", "then\t1 2 3")
  end)
end)

describe("Ctrl-C while a pool is made", function()
  local out = support.fixture [[
    local signal = require "posix.signal"
    -- Makes a pool, with an interrupt in the nth call of a function; how many calls there were.
    local function make(nth)
      local n = 0
      debug.sethook(function()
        n = n + 1
        if n == nth then debug.sethook(); signal.kill(process.getpid(), signal.SIGINT) end
      end, "c")
      local ok, e = pcall(process.Pool, 2)
      debug.sethook()
      if ok then e:terminate() end
      return n, ok, e
    end
    local others, left = 0, 0
    for nth = 1, make(0) - 10 do
      local _, ok, e = make(nth)
      if ok or not e:find "interrupted!$" then others = others + 1 end
      left = left + #process.active_children()
    end
    report("left", left, others)
  ]]

  it("is raised as it is, and leaves nobody", function() assert.equal("0 0", out.left) end)
end)

describe("initializers and lifetimes", function()
  local out = support.fixture [[
    local pool <close> = process.Pool{ processes = 2, initargs = { 5, 6 },
      initializer = function(a, b) PREPARED = a * b end }
    local prepared = pool:map(function(x) return PREPARED + x end, { 1, 2 })
    report("initializer", table.concat(prepared, " "))
    local ok, e = pcall(function()
      local function fail() error("no way", 0) end
      local bad <close> = process.Pool{ processes = 3, initializer = fail }
      bad:map(math.abs, { 1, 2, 3 })
    end)
    report("raises", ok, e.kind, e.value)
    report("frames", select(2, e.traceback:gsub("\n", "")), e.traceback:find("xpcall", 1, true))
    local bad = process.Pool{ processes = 2, initializer = function() os.exit(4) end }
    ok, e = pcall(bad.map, bad, math.abs, { 1, 2, 3 })
    report("dies", ok, e.kind, e.value)
    ok, e = pcall(bad.apply, bad, math.abs, { 1 })
    report("later", ok, e.kind, bad)
    bad:terminate()
    bad:close()
    bad:join()
    report("children", #process.active_children())
    local short <close> = process.Pool{ processes = 3, maxtasksperchild = 10 }
    local list, pids, n = {}, {}, 0
    for i = 1, 100 do list[i] = i end
    local right = 0
    for i, pid in short:imap(process.getpid, list) do
      if math.type(pid) == "integer" then right = right + 1 end
      if not pids[pid] then n = n + 1; pids[pid] = true end
    end
    report("lifetime", right, n >= 10, eventually(function()
      return short:stats().processes + 2 == #process.active_children()
    end))
    local sum = 0
    for _, v in ipairs(short:map(math.abs, list, 50)) do sum = sum + v end
    report("whole chunks", sum, short:stats().restarts >= 15)
    short:close()
    short:join()
  ]]

  it("prepare each worker", function() assert.equal("31 32", out.initializer) end)
  it("that raise stop the pool with their error", function()
    assert.equal("false error no way", out.raises)
    assert.equal("2 nil", out.frames)
  end)
  it("that die again and again stop it, too", function()
    support.mentions(out.dies, "false worker lost", "die in their initializer", "status 4")
    assert.equal("false worker lost <Pool state=broken pool_size=2>", out.later)
    assert.equal("2", out.children)
  end)
  it("replace a worker after maxtasksperchild tasks", function()
    assert.equal("100 true true", out.lifetime)
    assert.equal("5050 true", out["whole chunks"])
  end)
end)

describe("a pool of many workers", function()
  it("works", function()
    local out = support.fixture [[
      local pool <close> = process.Pool(200)
      local list, sum = {}, 0
      for i = 1, 1000 do list[i] = i - 1 end
      for _, v in ipairs(pool:map(function(x) return x * x end, list)) do sum = sum + v end
      report("sum", sum)
    ]]
    assert.equal("332833500", out.sum)
    assert.equal("", out().stderr)
  end)
  it("is none if a worker cannot be started", function()
    local out = support.fixture [[
      local resource, unistd = require "posix.sys.resource", require "posix.unistd"
      local RLIMIT_NPROC = 6 -- Linux's number; luaposix has no name for it
      local NOBODY = 54322   -- root has no such limit: be somebody who runs nothing else
      if unistd.geteuid() == 0 then assert(unistd.setpid("u", NOBODY)) end
      local limit = resource.getrlimit(RLIMIT_NPROC)
      local function allow(n)
        assert(resource.setrlimit(RLIMIT_NPROC, { rlim_cur = n, rlim_max = limit.rlim_max }))
      end
      allow(4)
      report("refused", pcall(process.Pool, 5))
      report("left", #process.active_children(), fx.children())
      local pool <close> = process.Pool(3)
      report("three", #pool:map(math.abs, { 1, 2, 3, 4 }))
      allow(1)
      local ok, e = pcall(pool.map, pool, function() os.exit(1) end, { 1, 2, 3, 4 }, 1)
      report("broken", ok, e.kind, e.value)
      report("gone", fx.children(), pool)
      assert(resource.setrlimit(RLIMIT_NPROC, limit)) -- sanitizers need a process at the end
    ]]
    support.mentions(out.refused, "false", "cannot start a process")
    assert.equal("0 0", out.left)
    assert.equal("4", out.three)
    support.mentions(out.broken, "false worker lost", "cannot be replaced")
    assert.equal("0 <Pool state=broken pool_size=3>", out.gone)
  end)
end)

describe("Ctrl-C in the midst of the pool's own code", function()
  local out = support.fixture [[
    local signal = require "posix.signal"
    -- Calls f, with an interrupt in the nth call of a function; how many calls there were.
    local function interrupted(nth, f)
      local n = 0
      debug.sethook(function()
        n = n + 1
        if n == nth then debug.sethook(); signal.kill(process.getpid(), signal.SIGINT) end
      end, "c")
      pcall(function() -- the interrupt may come late
        pcall(f)
        debug.sethook()
        process.sleep(0)
      end)
      return n
    end
    local function ends(r)
      local ok, value, word = pcall(r.get, r, 5)
      return not ok or value ~= nil or word ~= "timeout"
    end
    local hung = 0
    local function terminate(nth)
      local pool = process.Pool(1)
      local r, s = pool:map_async(math.abs, { 1, 2 }, 1), pool:apply_async(math.abs, { 1 })
      local n = interrupted(nth, function() pool:terminate() end)
      pool:terminate()
      if not ends(r) or not ends(s) then hung = hung + 1 end
      return n
    end
    for nth = 1, terminate(0) - 10 do terminate(nth) end
    report("terminate", hung, #process.active_children())

    local pool <close> = process.Pool(1)
    local broken = 0
    local function call(nth)
      local r
      local n = interrupted(nth, function()
        r = pool:apply_async(math.abs, { -1 }, nil, { callback = function() end })
        r:get()
      end)
      if r and not ends(r) or pool:apply(math.abs, { -2 }) ~= 2 or
        pool:stats().outstanding > (r and 0 or 1) then broken = broken + 1 end
      return n
    end
    for nth = 1, call(0) - 10 do call(nth) end
    report("call", broken)
  ]]

  it("leaves no call without an end", function() assert.equal("0 0", out.terminate) end)
  it("leaves a pool that works", function() assert.equal("0", out.call) end)
end)

describe("join, when a worker dies of a task that nobody wants any more", function()
  local out = support.fixture [[
    local signal = require "posix.signal"
    local pool = process.Pool(2)
    local begun = process.Event()
    local results = pool:imap(function()
      begun:set()
      for _ = 1, 2 do pcall(process.sleep, 30) end -- it is struck when it is cancelled, and again
      signal.kill(process.getpid(), signal.SIGKILL)
    end, { 1 })
    begun:wait()
    results:close()
    pool:close()
    pool:join()
    report("joined", pool, #process.active_children())
  ]]

  it("ends", function() assert.equal("<Pool state=joined pool_size=2> 0", out.joined) end)
end)
