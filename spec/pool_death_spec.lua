-- Pool: workers that die.

local support = require "spec.support"

describe("a worker that dies in its task", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local function die(how)
      if how == "exit" then os.exit(3) elseif how then fx.die(how) end
      return "lived"
    end
    local ok, e = pcall(pool.apply, pool, die, { "KILL" })
    report("killed", ok, getmetatable(e) == process.RemoteError, e.kind, e.value)
    report("who", e.process:match "^PoolWorker%-%d+$" ~= nil, e.value:find(e.pid, 1, true) ~= nil)
    ok, e = pcall(pool.apply, pool, die, { "exit" })
    report("exit", e.kind, e.value)
    ok, e = pcall(pool.apply, pool, die, { "SEGV" })
    report("crash", e.value)
    local results = {}
    for i, v, err in pool:imap(die, { false, "KILL", false, false, "TERM", false },
      { chunksize = 3, errors = "yield" }) do
      results[i] = v or err.index
    end
    report("others", table.concat(results, " "))
    ok, e = pcall(pool.map, pool, function(x) if x == 17 then fx.die "KILL" end end,
      (function() local t = {} for i = 1, 30 do t[i] = i end return t end)(), 10)
    report("map", ok, e.index, e.value)
    local failures = 0
    local r = pool:apply_async(die, { "KILL" }, nil, { error_callback = function()
      failures = failures + 1
    end })
    r:wait()
    report("callback", failures, r:successful())
    report("goes on", table.concat(pool:map(die, { false, false, false }, 1), " "))
    report("strength", #process.active_children(), pool:stats().restarts)
  ]]

  it("fails that task, and the error says who, how and which", function()
    support.mentions(out.killed, "false true worker lost", "was killed by SIGKILL",
      "a task of apply")
    assert.equal("true true", out.who)
    support.mentions(out.exit, "worker lost", "exited with status 3")
    support.mentions(out.crash, "SIGSEGV|SIGABRT|exited with status")
    support.mentions(out.map, "false 17", "task 17 of map")
    assert.equal("1 false", out.callback)
  end)
  it("takes nothing else along", function()
    assert.equal("lived 2 lived lived 5 lived", out.others)
  end)
  it("is replaced", function()
    assert.equal("lived lived lived", out["goes on"])
    assert.equal("2 7", out.strength)
  end)
end)

describe("retries", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local attempts, done = process.Array("i", 20), process.Array("i", 20)
    local function touchy(x)
      if attempts:add(x, 1) <= x % 3 then fx.die "KILL" end
      done:add(x, 1)
      return x * 2
    end
    local list = {}
    for i = 1, 20 do list[i] = i end
    local r = pool:map(touchy, list, { retries = 2, chunksize = 4 })
    local right = 0
    for i = 1, 20 do if r[i] == i * 2 and done[i] == 1 then right = right + 1 end end
    report("right", right)
    attempts:fill(0)
    local ok, e = pcall(pool.map, pool, function(x)
      if x == 3 then attempts:add(x, 1); fx.die "KILL" end
      done:add(x, 1)
      return x
    end, list, { retries = 3, chunksize = 5 })
    report("poison", ok, e.kind, e.index, attempts[3], done[4], e.value)
    report("pool", pool:apply(math.abs, { -1 }))
  ]]

  it("repeat the task that killed its worker, and only that", function()
    assert.equal("20", out.right)
  end)
  it("end: a poison task is given up", function()
    support.mentions(out.poison, "false worker lost 3 4 2", "attempt 4")
    assert.equal("1", out.pool)
  end)
end)

describe("workers killed from outside", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(3)
    local function kill_all()
      local n = 0
      for _, p in ipairs(process.active_children()) do p:kill(); p:join(); n = n + 1 end
      return n
    end
    report("idle", kill_all(), table.concat(pool:map(math.abs, { -1, -2, -3 }, 1), " "))
    report("again", kill_all(), pool:apply(math.abs, { -5 }))
    report("strength", #process.active_children())
    local refused
    for _, p in ipairs(process.active_children()) do
      refused = not pcall(p.close, p)
      p:kill(); p:join(); p:close()
    end
    report("closed", refused, table.concat(pool:map(math.abs, { -1, -2, -3 }, 1), " "))
    local begun = process.Semaphore(0)
    local r = pool:map_async(function() begun:release(); process.sleep(60) end,
      { 1, 2, 3, 4, 5, 6 }, 1)
    for _ = 1, 3 do begun:acquire() end
    local killed = kill_all()
    for _ = 1, 3 do r:ready(); begun:acquire() end
    killed = killed + kill_all()
    local ok, e = pcall(r.get, r)
    report("all at once", killed, ok, e.kind)
    -- A large result on its way.
    local went = pool:map_async(function(x) begun:release(); return ("x"):rep(x) end,
      { 2e7, 2e7, 2e7 }, 1)
    begun:acquire()
    kill_all()
    went:wait()
    report("large", went:ready(), pool:apply(math.abs, { -6 }))
    pool:close()
    kill_all()
    pool:join()
    report("joined", pool)
  ]]

  it("are replaced when they were idle", function()
    assert.equal("3 1 2 3", out.idle)
    assert.equal("3 5", out.again)
    assert.equal("3", out.strength)
  end)
  it("are replaced though the script has closed them", function()
    assert.equal("true 1 2 3", out.closed)
  end)
  it("fail what they had, all at once too", function()
    assert.equal("6 false worker lost", out["all at once"])
    assert.equal("true 6", out.large)
  end)
  it("do not hang a join", function()
    assert.equal("<Pool state=joined pool_size=3>", out.joined)
  end)
end)

describe("a map of 100,000 tasks", function()
  local out = support.fixture [[
    local N = 100000
    local pool <close> = process.Pool(2)
    local list = {}
    for i = 1, N do list[i] = i end
    -- Workers say who they are as they begin; each is killed a few milliseconds later.
    local pids, killed = process.Queue(), process.Value("i", 0)
    local killer = process.Process(function()
      local signal = require "posix.signal"
      for pid in pids:items() do
        process.sleep(0.003)
        if signal.kill(pid, signal.SIGKILL) == 0 then killed:add(1) end
      end
    end):start()
    local known = 0
    local function work(x)
      if known ~= process.getpid() then
        known = process.getpid()
        pids:put(known)
      end
      return x * 2 + 1
    end
    local rounds = 0
    local wrong = 0
    repeat
      rounds = rounds + 1
      local r = pool:map(work, list, { retries = 100 })
      for i = 1, N do if r[i] ~= i * 2 + 1 then wrong = wrong + 1 end end
      if #r ~= N then wrong = wrong + 1 end
    until killed.value >= 5 or rounds == 20
    pids:shutdown()
    killer:join()
    report("right", wrong, killed.value >= 5, pool:stats().restarts >= killed.value - 2)
  ]]

  it("is right, each once, though its workers are killed all the time", function()
    assert.equal("0 true true", out.right)
  end)
end)
