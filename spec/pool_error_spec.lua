-- Pool: errors of tasks, and results that cannot be sent.

local support = require "spec.support"

describe("a task's error", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local function fail(x) error({ code = x }) end
    local ok, e = pcall(pool.apply, pool, fail, { 7 })
    report("value", ok, getmetatable(e) == process.RemoteError, e.kind, e.value.code)
    report("where", e.process:match "^PoolWorker%-%d+$" ~= nil, math.type(e.pid),
      e.pid ~= process.getpid())
    local function third(x) if x == 3 then error("three!") end return x end
    ok, e = pcall(pool.map, pool, third, { 1, 2, 3, 4 })
    report("map", e.index, e.value:match "three!$", tostring(e))
    report("traceback", e.traceback:match "in upvalue" or e.traceback:match "in function")
    local ran = process.Value("i", 0)
    ok, e = pcall(pool.map, pool, function(x)
      ran:add(1)
      if x % 10 == 5 then error(x, 0) end
    end, (function() local t = {} for i = 1, 40 do t[i] = i end return t end)(), 20)
    report("all ran", ok, e.value, ran.value)
    ok, e = pcall(pool.apply, pool, error, {})
    report("nil", ok, e.kind, e.value)
    local big = ("x"):rep(1 << 20)
    local began = process.now()
    ok, e = pcall(pool.map, pool, function(x)
      if x == 1 then error(big, 0) end
      process.sleep(0.05)
      error(big, 0)
    end, { 1, 2 }, 1)
    report("no fail-fast", ok, #e.value, process.now() - began >= 0.05)
    ok, e = pcall(pool.apply, pool, function()
      local inner <close> = process.Pool(1)
      inner:apply(error, { "deep", 0 })
    end)
    report("nested", ok, e.value, e.kind)
    local got
    local r = pool:apply_async(error, { "seen", 0 }, nil, {
      error_callback = function(x) got = x end })
    ok, e = pcall(r.get, r)
    report("error callback", ok, got == e, got.value)
    ok, e = pcall(pool.map, pool, third, function() error("input", 0) end)
    report("own", e)
    report("goes on", table.concat(pool:map(third, { 1, 2 }), " "))
    pool:close()
    pool:join()
  ]]

  it("arrives as a RemoteError with the value", function()
    assert.equal("false true error 7", out.value)
    assert.equal("true integer true", out.where)
    assert.equal("false error nil", out["nil"])
  end)
  it("names the task, and has the traceback of the worker", function()
    support.mentions(out.map, "3 three!", "remote traceback", "PoolWorker-")
    support.mentions(out.traceback, "in function|in upvalue")
  end)
  it("stops neither its chunk nor the map; the first in the input's order is raised", function()
    assert.equal("false 5 40", out["all ran"])
    assert.equal("false 1048576 true", out["no fail-fast"])
  end)
  it("crosses several processes and stays what it was", function()
    assert.equal("false deep error", out.nested)
  end)
  it("goes to the error callback", function()
    assert.equal("false true seen", out["error callback"])
  end)
  it("is none if the input raised it", function() assert.equal("input", out.own) end)
  it("leaves the pool as it was", function() assert.equal("1 2", out["goes on"]) end)
end)

describe("what cannot be sent back", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local pids = {}
    for _, p in ipairs(process.active_children()) do pids[p.pid] = true end
    local ok, e = pcall(pool.apply, pool, function() return { co = coroutine.create(print) } end)
    report("result", ok, e.kind, e.value)
    ok, e = pcall(pool.apply, pool, function() error({ io.stdout }) end)
    report("error", ok, e.kind, e.value)
    local failed = 0
    for _, _, err in pool:imap(function(x)
      if x % 2 == 0 then return coroutine.create(print) end
      error(coroutine.create(print))
    end, (function() local t = {} for i = 1, 1000 do t[i] = i end return t end)(),
      { errors = "yield" }) do
      failed = failed + (err.kind == "error" and 1 or 0)
    end
    report("thousand", failed)
    local seen = {}
    for _, pid in ipairs(pool:map(process.getpid, { 1, 2, 3, 4 }, 1)) do
      seen[#seen + 1] = pids[pid] and 1 or nil
    end
    report("workers", #seen, pool:stats().restarts)
  ]]

  it("is that task's error", function()
    support.mentions(out.result, "false error", "cannot send a thread", "co")
    support.mentions(out.error, "false error")
  end)
  it("a thousand times, without a worker lost", function()
    assert.equal("1000", out.thousand)
    assert.equal("4 0", out.workers)
  end)
end)

describe("an error that no function of the task raised", function()
  it("names the worker, as there is no traceback", function()
    local out = support.fixture [[
      local pool <close> = process.Pool(1)
      local e = select(2, pcall(pool.apply, pool, function() return io.stdout end))
      report("text", tostring(e))
    ]]
    assert.matches("^cannot send a file: at value%s+in PoolWorker%-1 %(pid %d+%), outside of the "
      .. "task's function$", out.text)
  end)
end)

describe("memory that is lacking while a result is taken over", function()
  local out = support.fixture [[
    local callbacks = require "process.callbacks"
    local AsyncResult = require "process.result".AsyncResult
    local pool <close> = process.Pool(2)
    -- The n-th call of t[key] raises what Lua does then.
    local function lacks(t, key, n)
      local f = t[key]
      t[key] = function(...)
        n = n - 1
        if n > 0 then return f(...) end
        t[key] = f
        error("not enough memory", 0)
      end
    end
    lacks(AsyncResult, "store", 1)
    local r = pool:apply_async(math.abs, { -1 })
    report("apply", try(r.get, r), r:get())
    lacks(AsyncResult, "store", 2)
    r = pool:map_async(math.abs, { -1, -2, -3 }, 1)
    report("map", try(r.get, r), table.concat(r:get(), " "))
    lacks(callbacks, "queue", 1)
    local called = 0
    r = pool:map_async(math.abs, { -1, -2, -3 }, { chunksize = 1, callback = function()
      called = called + 1
    end })
    report("end", try(r.get, r), table.concat(r:get(), " "), called)
    local iterator = pool:imap_unordered(math.abs, { -1, -2, -3 })
    lacks(getmetatable(iterator.feed), "store", 1)
    local text, sum = try(iterator.next, iterator), 0
    for _, v in iterator do sum = sum + v end
    report("imap", text, sum)
    pool:close()
    pool:join()
    report("join", pool:stats().outstanding)
  ]]

  it("is an error of who waits, and the result is there afterwards", function()
    assert.equal("not enough memory 1", out.apply)
    assert.equal("not enough memory 1 2 3", out.map)
    assert.equal("not enough memory 1 2 3 1", out["end"])
    assert.equal("not enough memory 6", out.imap)
    assert.equal("0", out.join)
  end)
end)
