-- Pool: progress and statistics.

local support = require "spec.support"

describe("progress", function()
  local program = [[
    local pool <close> = process.Pool(2)
    local list = {}
    for i = 1, 300 do list[i] = i end
    report("map", #pool:map(math.abs, list, { progress = "squares", chunksize = 10 }))
    local n = 0
    for _ in pool:imap(math.abs, function()
      n = n + 1
      if n <= 50 then return n end
    end, { progress = true }) do end
    report("error", try(pool.map, pool, function(x)
      if x == 300 then error("last", 0) end
    end, list, { progress = true }):match "last")
  ]]

  it("writes a line for each tenth where there is no terminal", function()
    local r = support.run(program)
    assert.equal(0, r.status)
    assert.equal(10, support.count(r.stderr, "squares: "))
    support.mentions(r.stderr, "squares:  10% 30/300 ", "squares: 100% 300/300 ", "/s", "ETA",
      "100% 300/300", "1 failed")
    assert.equal(0, support.count(r.stderr, "\r"))
    assert.matches("\n100%% 50/50 [%d.]+/s 0:%d%d\n", r.stderr)
  end)
  it("draws one line on a terminal", function()
    local r = support.run(program, {
      env = { TERM = "xterm" },
      shell = function(command)
        return "exec script -qec 'stty cols 60; exec " .. command:gsub("'", "") .. "' /dev/null"
      end,
    })
    assert.equal(0, r.status)
    local bars = {}
    for line in r.stdout:gmatch "[^\r\n]+" do
      if line:match "^squares" then bars[#bars + 1] = line end
    end
    assert.is_true(#bars >= 1)
    support.mentions(bars[#bars], "squares 100% |", "#| 300/300 ")
    for _, bar in ipairs(bars) do assert.is_true(#bar:gsub("\27%[K", "") < 60) end
  end)
  -- The bars that a program draws on a terminal of 40 columns, and all that it writes.
  local function bars_of(source)
    local r = support.run(source, {
      env = { TERM = "xterm" },
      shell = function(command)
        return "exec script -qec 'stty cols 40; exec " .. command:gsub("'", "") .. "' /dev/null"
      end,
    })
    local bars = {}
    for bar in r.stdout:gmatch "\r([^\r\n]+)\27%[K" do bars[#bars + 1] = bar end
    return bars, r.stdout
  end

  it("shortens a label that leaves no room for the numbers", function()
    local bars = bars_of [[
      local pool <close> = process.Pool(2)
      pool:map(math.abs, { 1, 2, 3 }, { progress = ("label "):rep(20) })
    ]]
    assert.matches("^label .*100%% 3/3 .*/s 0:00$", bars[#bars])
    for _, bar in ipairs(bars) do assert.is_true(#bar < 40) end
  end)
  it("leaves the bar once when an interrupt ends the wait", function()
    local _, all = bars_of [[
      local pool <close> = process.Pool(1)
      local main = process.getpid()
      print(pcall(pool.map, pool, function(x)
        if x == 2 then
          os.execute("kill -INT " .. main)
          process.sleep(60)
        end
      end, { 1, 2 }, { chunksize = 1, progress = "bar" }))
    ]]
    support.mentions(all, "interrupted!")
    local left = select(2, all:gsub("\27%[K\r?\n", ""))
    assert.is_true(left <= 1) -- none if the interrupt was there before the first result
  end)
  -- Whether what the program writes is so, at the latest when the machine is less busy.
  local function sometime(source, is_so)
    local all
    for _ = 1, 10 do
      all = select(2, bars_of(source))
      if is_so(all) then return true end
    end
    return false, all
  end

  it("leaves an empty line for what a loop prints", function()
    assert.is_true(sometime([[
      local pool <close> = process.Pool(1)
      for _, x in pool:imap(function(x)
        process.sleep(0.15)
        return x
      end, { 1, 2, 3 }, { progress = "bar" }) do print("item " .. x) end
    ]], function(all)
      for i = 1, 3 do
        local line = all:match("([^\n]*)item " .. i .. "\r?\n")
        if line ~= "" and not line:find "bar.*\r\27%[K$" then return false end
      end
      return true
    end))
  end)
  it("stays where results come faster than anybody reads", function()
    assert.is_true(sometime([[
      local pool <close> = process.Pool(2)
      local list = {}
      for i = 1, 3000 do list[i] = i end
      for _ in pool:imap(math.abs, list, { progress = "bar", chunksize = 100 }) do end
    ]], function(all) return all:find "bar 100%%" and support.count(all, "\r\27[K") <= 1 end))
  end)
  it("calls a function", function()
    local out = support.fixture [[
      local pool <close> = process.Pool(2)
      local list = {}
      for i = 1, 100 do list[i] = i end
      local seen, rising, last, stats = 0, true, 0, nil
      pool:map(math.abs, list, { chunksize = 5, progress = function(done, total, s)
        seen, rising, last, stats = seen + 1, rising and done > last and total == 100, done, s
      end })
      report("calls", seen, rising, last)
      report("stats", stats.elapsed >= 0, stats.rate > 0, stats.eta, stats.failed)
      local unknown = {}
      local n = 0
      for _ in pool:imap(math.abs, function()
        n = n + 1
        if n <= 3 then return n end
      end, { buffer = 1, progress = function(done, total)
        unknown[#unknown + 1] = done .. (total and "/" .. total or "")
      end }) do end
      report("unknown", unknown[1], unknown[2], #unknown)
      report("raises", #pool:map(math.abs, list, { progress = function() error "progress" end }))
    ]]
    assert.equal("20 true 100", out.calls)
    assert.equal("true true 0.0 0", out.stats)
    assert.equal("1 2 3", out.unknown)
    assert.equal("100", out.raises)
    assert.equal(1, support.count(out().stderr, "error in a progress function"))
  end)
  it("leaves its line for a traceback", function()
    local run = support.start([[
      local pool = process.Pool(2)
      local list = {}
      for i = 1, 100 do list[i] = i end
      pool:map(function(x)
        if x == 50 then process.sleep(60) end
      end, list, { progress = "bar", chunksize = 1 })
    ]], { shell = function(command)
      return "exec script -qec 'exec " .. command:gsub("'", "") .. "' /dev/null"
    end })
    run:wait_for "bar +%d"
    run:signal("INT", run:child()) -- behind `script`
    local r = run:finish()
    assert.matches("\n[^\r\n]*interrupted!", r.stdout)
    assert.is_nil(r.stdout:match "bar[^\n]*interrupted!")
  end)
end)

describe("stats", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    fx.eventually(function() -- both serve
      local w = pool:stats().workers
      return w[1].idle and w[2].idle
    end)
    pool:map(function(x) if x == 3 then process.sleep(0.02) end end, { 1, 2, 3, 4, 5, 6 }, 1)
    local s = pool:stats()
    local tasks, busy, idle, named = 0, 0, 0, 0
    for _, w in ipairs(s.workers) do
      tasks, busy, idle = tasks + w.tasks, busy + w.busy, idle + w.idle
      if w.name:match "^PoolWorker%-" and w.pid and w.started then named = named + 1 end
    end
    report("pool", s.processes, s.restarts, s.state, #s.workers)
    report("workers", tasks, busy >= 0.02, idle > 0, named)
    local slow = s.slowest[1]
    report("slowest", slow.call, slow.index, slow.seconds >= 0.02, #s.slowest <= 5)
    pool:close()
    pool:join()
    s = pool:stats()
    report("over", s.state, s.workers[1].tasks + s.workers[2].tasks, s.slowest[1].index)
  ]]

  it("counts tasks, times and restarts", function()
    assert.equal("2 0 running 2", out.pool)
    assert.equal("6 true true 2", out.workers)
  end)
  it("names the slowest tasks", function() assert.equal("map 3 true true", out.slowest) end)
  it("are there after join, too", function() assert.equal("joined 6 3", out.over) end)
end)
