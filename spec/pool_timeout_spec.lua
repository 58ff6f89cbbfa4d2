-- Pool: tasks that take too long.

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
