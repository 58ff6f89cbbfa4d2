-- Pool: what is said of wrong arguments and options, and of what cannot be sent.

local support = require "spec.support"

describe("a pool's arguments", function()
  local out = support.fixture [[
    local pool <close> = process.Pool(2)
    local f = math.abs
    report("positional", try(process.Pool, 2, print))
    report("list", try(process.Pool, { 3 }), try(pool.map, pool, f, { 1 }, { 5 }))
    report("n", try(pool.map, pool, f, { n = -1 }), try(pool.imap, pool, f, { n = -2 }))
    report("set", try(pool.map, pool, f, process.set{ 1 }))
    report("queue", try(pool.map_async, pool, f, process.Queue()))
    report("dict", try(pool.imap, pool, f, process.dict{ a = 1 }))
    report("shared", pool:map(f, process.list{ -1, -2 })[2],
      pool:map(f, process.Array("i", { -3 }))[1])
    report("star", try(pool.starmap, pool, f, { { 1 }, 2 }))
    report("async", try(pool.starmap_async, pool, f, {}, { buffer = 1 }))
    report("kwargs", try(function() pool:apply(function(a) return a end, {}, { b = 1 }) end))
    report("next", try(pool:imap(f, { 1 }).next))
  ]]

  it("are not taken for something else", function()
    support.mentions(out.positional, "Pool takes a number or a table: Pool{ processes =")
    support.mentions(out.list, "unknown option '1' for 'Pool' (known: processes",
      "unknown option '1' for 'map'")
    support.mentions(out.async, "unknown option 'buffer' for 'starmap_async'")
  end)
  it("must be an input with items", function()
    support.mentions(out.n,
      "bad argument #2 to 'map' (list or iterator expected, got one with n = -1)",
      "bad argument #2 to 'imap'")
    support.mentions(out.set, "bad argument #2 to 'map' (list or iterator expected, got Set)")
    support.mentions(out.queue,
      "bad argument #2 to 'map_async' (list or iterator expected, got Queue)")
    support.mentions(out.dict, "bad argument #2 to 'imap' (list or iterator expected, got Dict)")
    assert.equal("2 3", out.shared)
    support.mentions(out.star, "starmap: list of arguments expected as item 2, got number")
  end)
  it("are wrong at the caller's line", function()
    assert.matches("^[^/]*:%d+: kwargs: no parameter is called 'b'", out.kwargs:gsub("^.*/", ""))
    assert.is_nil(out.kwargs:find("process/pool", 1, true))
    support.mentions(out.next, "imap iterator expected, got nil; call it with a colon")
  end)
end)

describe("kwargs of an object that can be called", function()
  it("are bound to the parameters of its __call", function()
    local out = support.fixture [[
      local object = setmetatable({}, { __call = function(_, a, b) return a, b end })
      process.register("callable", getmetatable(object))
      local pool <close> = process.Pool(1)
      report("apply", pool:apply(object, { 1 }, { b = 2 }))
      report("async", pool:apply_async(object, {}, { b = 2 }):get())
      report("unknown", try(pool.apply, pool, object, {}, { c = 2 }))
    ]]
    assert.equal("1 2", out.apply)
    assert.equal("nil 2", out.async)
    support.mentions(out.unknown, "no parameter is called 'c'; the parameters are (a, b)")
  end)
end)

describe("what belongs to a pool's owner", function()
  it("cannot be sent, and the error says what it is", function()
    local out = support.fixture [[
      local pool <close> = process.Pool(1)
      report("pool", try(pool.apply, pool, function() return pool end))
      report("result", try(pool.apply, pool, print, { pool:apply_async(math.abs, { 1 }) }))
      report("iterator", try(pool.apply, pool, print, { (pool:imap(math.abs, {})) }))
    ]]
    support.mentions(out.pool, "cannot send a pool, which belongs to the process that made it: at")
    support.mentions(out.result, "cannot send a result, which belongs to", "at args[1]")
    support.mentions(out.iterator, "cannot send an iterator, which belongs to", "at args[1]")
  end)
end)

describe("a path to what cannot be sent", function()
  it("begins at the arguments, the function or the list", function()
    local out = support.fixture [[
      local pool <close> = process.Pool(1)
      local file = io.stdout
      report("apply", try(pool.apply, pool, math.abs, { 1, { x = file } }))
      report("async", try(pool.apply_async, pool, math.abs, { n = 1, file }))
      report("function", try(pool.apply, pool, function() return file end))
      report("map", try(pool.map, pool, math.abs, { 1, file }))
    ]]
    support.mentions(out.apply, "cannot send a file: at args[2].x")
    support.mentions(out.async, "cannot send a file: at args[1]")
    support.mentions(out["function"], "cannot send a file: at value<upvalue file>")
    support.mentions(out.map, "cannot send a file: at value[2]")
  end)
end)

describe("what is in the module", function()
  local out = support.fixture [[
    local current, atexit, share = process.current_process, process.atexit, process.share
    local Process, RemoteError = process.Process, process.RemoteError
    local My = Process:extend("My")
    function My:init(x) self.x = x end
    local pool <close> = process.Pool(1)
    report("name", pool:apply(function() return current().name end))
    report("exit", try(pool.apply, pool, os.exit, { 3 }))
    report("share", pool:apply(function() return share{ a = { 1 } }.a[1] end))
    report("start", pool:apply(function()
      local p = Process(os.exit, 3):start()
      p:join()
      return p.exitcode
    end))
    report("error", pool:apply(function(e) return getmetatable(e) == RemoteError end,
      { select(2, pcall(pool.apply, pool, error)) }))
    local made = pool:apply(function() return My(5) end)
    report("class", made.x, getmetatable(made) == getmetatable(My(1)))
    local Late = Process:extend("Late")
    report("late", try(pool.apply, pool, rawequal, { Late(), 1 }))
    report("late_class", try(pool.apply, pool, function() return Late() end))
    local ended = process.Queue()
    pool:apply(function() atexit(function() ended:put("ended") end) end)
    pool:close()
    pool:join()
    report("atexit", ended:get(0))
  ]]

  it("goes by name, also if it is written in Lua", function()
    assert.equal("PoolWorker-1", out.name)
    assert.equal("1", out.share)
    support.mentions(out.exit, "exited with status 3 in a task of apply")
    assert.equal("3", out.start)
    assert.equal("true", out.error)
    assert.equal("ended", out.atexit)
  end)
  it("goes by name, and so do classes", function()
    assert.equal("5 true", out.class)
    assert.matches("no metatable is registered as 'Late %(class %d+%) %(object%)' here", out.late)
    assert.matches("no metatable is registered as 'Late %(class %d+%)' here", out.late_class)
  end)
end)
