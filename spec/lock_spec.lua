-- Lock: exclusion, its calls, and what happens when a holder or a waiter dies.

local support = require "spec.support"

describe("a lock", function()
  local out = support.fixture [[
    local lock = process.Lock()
    report("new", lock:locked(), lock:abandoned(), tostring(lock))
    report("acquire", lock:acquire())
    report("held", lock:locked(), lock:abandoned(), tostring(lock))
    report("refused", lock:acquire(false))
    report("refused with timeout", lock:acquire(false, 100))
    local seconds = fx.timed(lock.acquire, lock, true, 0.05)
    report("waited", seconds >= 0.05)
    report("block and timeout", lock:acquire(true, 0.01))
    report("lone timeout", lock:acquire(0.01))
    report("nil and timeout", lock:acquire(nil, 0.01))
    report("zero", lock:acquire(0))
    report("negative", lock:acquire(-1), lock:acquire(true, -1))
    report("release", lock:release())
    report("free", lock:locked(), tostring(lock))
    report("released twice", try(lock.release, lock), lock:locked())
    report("forms", lock:acquire(true) and lock:release() == nil, lock:acquire(false) and lock:release() == nil,
      lock:acquire(0) and lock:release() == nil, lock:acquire(-1) and lock:release() == nil,
      lock:acquire(true, nil) and lock:release() == nil, lock:acquire(nil) and lock:release() == nil)
    report("results", select("#", lock:acquire()), select("#", lock:release()))
  ]]

  it("is free when new", function() assert.equal("false false <Lock(owner=None)>", out.new) end)
  it("is acquired with true", function()
    assert.equal("true", out.acquire)
    assert.equal("1 0", out.results)
  end)
  it("shows its owner", function() assert.equal("true false <Lock(owner=MainProcess)>", out.held) end)
  it("refuses at once without block, whatever the timeout", function()
    assert.equal("false timeout", out.refused)
    assert.equal("false timeout", out["refused with timeout"])
  end)
  it("refuses when the timeout has passed, not earlier", function()
    assert.equal("true", out.waited)
    for _, form in ipairs { "block and timeout", "lone timeout", "nil and timeout" } do
      assert.equal("false timeout", out[form])
    end
  end)
  it("takes 0 and less for no wait", function()
    assert.equal("false timeout", out.zero)
    assert.equal("false false timeout", out.negative)
  end)
  it("is free after a release, which says nothing", function()
    assert.equal("", out.release)
    assert.equal("false <Lock(owner=None)>", out.free)
  end)
  it("cannot be released when free", function()
    support.mentions(out["released twice"], "release", "lock", "false")
  end)
  it("is acquired by every form of the call when free", function()
    assert.equal("true true true true true true", out.forms)
  end)
end)

describe("hold", function()
  local out = support.fixture [[
    local lock = process.Lock()
    do
      local held <close> = lock:hold()
      report("inside", lock:locked(), held ~= nil)
      report("results", select("#", (function() local h <close> = nil; return lock:hold(0) end)()))
      report("fails", lock:hold(0.01))
      report("at once", lock:hold(0), (lock:hold(-1)))
    end
    report("block", lock:locked())
    local function returns()
      local held <close> = lock:hold(1)
      return lock:locked()
    end
    report("return", returns(), lock:locked())
    for _ = 1, 2 do
      local held <close> = lock:hold()
      break
    end
    report("break", lock:locked())
    local cause = {}
    local ok, message = pcall(function()
      local held <close> = lock:hold()
      error(cause)
    end)
    report("error", ok, message == cause, lock:locked())
    local co = coroutine.wrap(function()
      local held <close> = lock:hold()
      coroutine.yield(lock:locked())
    end)
    report("coroutine", co(), lock:locked(), co(), lock:locked())
  ]]

  it("holds the lock to the end of the block", function()
    assert.equal("true true", out.inside)
    assert.equal("false", out.block)
  end)
  it("gives nil and the reason when it fails", function()
    assert.equal("nil timeout", out.fails)
    assert.equal("nil nil", out["at once"])
    assert.equal("2", out.results)
  end)
  it("releases on return, break and error, and the error goes on", function()
    assert.equal("true false", out["return"])
    assert.equal("false", out["break"])
    assert.equal("false true false", out.error)
  end)
  it("works inside a coroutine", function() assert.equal("true true nil false", out.coroutine) end)
end)

describe("with", function()
  local out = support.fixture [[
    local lock = process.Lock()
    report("results", select("#", lock:with(function(...) return ... end, nil, 1, nil)))
    report("values", lock:with(function(a, b) return lock:locked(), b, a end, "a", "b"))
    report("none", select("#", lock:with(function() end)))
    report("after", lock:locked())
    local cause = {}
    local ok, message = pcall(lock.with, lock, function() error(cause) end)
    report("error", ok, message == cause, lock:locked())
    report("text", pcall(lock.with, lock, error, "as it is", 0))
    report("nil", pcall(lock.with, lock, error))
    local callable = setmetatable({}, { __call = function(_, x) return x end })
    report("callable", lock:with(callable, "x"))
    report("no function", try(lock.with, lock), lock:locked())
    report("nested", lock:with(function() return process.Lock():with(function() return "inner" end) end))
    report("own release", try(lock.with, lock, function() lock:release() end), lock:locked())
  ]]

  it("passes arguments and results on, nils kept", function()
    assert.equal("3", out.results)
    assert.equal("true b a", out.values)
    assert.equal("0", out.none)
    assert.equal("inner", out.nested)
  end)
  it("has released afterwards", function() assert.equal("false", out.after) end)
  it("releases on error and passes the error on unchanged", function()
    assert.equal("false true false", out.error)
    assert.equal("false as it is", out.text)
    assert.equal("false nil", out["nil"])
  end)
  it("takes what can be called, and nothing else", function()
    assert.equal("x", out.callable)
    support.mentions(out["no function"], "with", "function", "false")
  end)
  it("says so when the function has released the lock", function()
    support.mentions(out["own release"], "release", "false")
  end)
end)

describe("a lock held by another process", function()
  local out = support.fixture [[
    local lock, held, go = process.Lock(), process.Event(), process.Event()
    local p = process.Process{ name = "P1", target = function()
      lock:acquire()
      report("child", lock:locked(), tostring(lock))
      held:set()
      go:wait()
      report("released by main", lock:locked(), lock:acquire(false), tostring(lock))
    end }:start()
    held:wait()
    report("main", lock:locked(), lock:abandoned(), lock:acquire(false))
    report("repr", tostring(lock))
    report("hold", lock:hold(0.01))
    lock:release()
    report("free", lock:acquire(false), tostring(lock))
    go:set()
    p:join()
    report("mine", lock:locked(), lock:abandoned())
    lock:release()
    local child = process.Process(function() report("inherited", lock:locked(), lock:acquire(false)) end)
    lock:acquire()
    child:start():join()
    report("still mine", lock:locked(), lock:abandoned(), tostring(lock))
  ]]

  it("is locked for both", function()
    assert.equal("true <Lock(owner=P1)>", out.child)
    assert.equal("true false false timeout", out.main)
    assert.equal("nil timeout", out.hold)
  end)
  it("shows an owner that is somebody else", function()
    assert.matches("^<Lock%(owner=%w+%)>$", out.repr)
    assert.are_not.equal("<Lock(owner=None)>", out.repr)
    assert.are_not.equal("<Lock(owner=MainProcess)>", out.repr)
  end)
  it("may be released by anybody, and is then free", function()
    assert.equal("true <Lock(owner=MainProcess)>", out.free)
    assert.matches("^true false timeout <Lock", out["released by main"])
    assert.equal("true false", out.mine)
  end)
  it("is not inherited, and not lost with a child that ends", function()
    assert.equal("true false timeout", out.inherited)
    assert.equal("true false <Lock(owner=MainProcess)>", out["still mine"])
  end)
end)

describe("exclusion", function()
  local out = support.fixture [[
    local path = os.tmpname()
    local function write(n)
      local file = io.open(path, "w")
      file:write(n)
      file:close()
    end
    local function add()
      local file = io.open(path)
      local n = file:read "n"
      file:close()
      write(n + 1)
    end
    local lock = process.Lock()
    local ways = {
      function() lock:acquire(); add(); lock:release() end,
      function() local held <close> = lock:hold(); add() end,
      function() lock:with(add) end,
      function() while not lock:acquire(0.0005) do end; add(); lock:release() end,
      function() while not lock:acquire(false) do end; add(); lock:release() end,
    }
    write(0)
    local ps = {}
    for i, way in ipairs(ways) do
      ps[i] = process.Process(function() for _ = 1, 200 do way() end end):start()
    end
    local codes = 0
    for i, p in ipairs(ps) do p:join(); codes = codes + p.exitcode end
    report("count", io.open(path):read("n"), codes, lock:locked())
    os.remove(path)
  ]]

  it("is complete, whatever form of the call is used", function() assert.equal("1000 0 false", out.count) end)
end)

describe("sharing a lock", function()
  local out = support.fixture [[
    local q, results = process.Queue(), process.Queue()
    local function held_elsewhere(lock) results:put((lock:acquire(false))) end
    local upvalue = process.Lock()
    upvalue:acquire()
    process.Process(function() held_elsewhere(upvalue) end):start():join()
    report("upvalue", results:get())
    process.Process(held_elsewhere, upvalue):start():join()
    report("argument", results:get())
    q:put(upvalue)
    local same = q:get()
    report("message", same:locked(), same:acquire(false))
    same:release()
    report("released", upvalue:locked())
    q:put{ list = { upvalue }, f = function() return upvalue:acquire(false) end }
    upvalue:acquire()
    local got = q:get()
    report("nested", got.list[1]:locked(), got.f())
    upvalue:release()
    local fresh = process.Process(function()
      local lock = process.Lock()
      lock:acquire()
      q:put(lock)
      results:get()
      report("child still holds", lock:locked())
    end):start()
    local lock = q:get()
    report("made by a child", lock:locked(), lock:acquire(false))
    lock:release()
    lock:acquire()
    results:put(true)
    fresh:join()
    report("outlives its maker", lock:locked(), lock:abandoned())
    q:put(process.Lock())
    collectgarbage()
    collectgarbage()
    lock = q:get()
    report("kept by a message", lock:acquire(), lock:acquire(false))
  ]]

  it("works by upvalue, argument and message", function()
    assert.equal("false", out.upvalue)
    assert.equal("false", out.argument)
    assert.equal("true false timeout", out.message)
    assert.equal("false", out.released)
  end)
  it("works from inside tables and closures", function() assert.equal("true false timeout", out.nested) end)
  it("works whoever made it, and after that process has ended", function()
    assert.equal("true false timeout", out["made by a child"])
    assert.equal("true", out["child still holds"])
    assert.equal("true false", out["outlives its maker"])
  end)
  it("lives in a message alone", function() assert.equal("true false timeout", out["kept by a message"]) end)
end)

-- How a holder ends; each leaves the lock locked.
local DEATHS = {
  ["is killed"] = "fx.die 'KILL'", ["is terminated"] = "fx.die 'TERM'", ["returns"] = "",
  ["exits"] = "os.exit(0)", ["fails"] = "error 'expected by the spec'",
}

for how, last in pairs(DEATHS) do
  describe("a lock whose holder " .. how, function()
    local out = support.fixture(([[
      local lock, held = process.Lock(), process.Event()
      local function hold_and_die()
        held:clear()
        local p = process.Process(function()
          lock:acquire()
          held:set()
          %s
        end):start()
        held:wait()
        p:join()
      end
      hold_and_die()
      report("dead", lock:locked(), lock:abandoned())
      report("acquire", lock:acquire())
      report("taken", lock:locked(), lock:abandoned(), tostring(lock))
      report("refused", lock:acquire(false))
      report("release", lock:release())
      report("ordinary", lock:abandoned(), lock:locked(), lock:acquire())
      lock:release()
      hold_and_die()
      report("not blocking", lock:acquire(false))
      lock:release()
      hold_and_die()
      report("with timeout", lock:acquire(30))
      lock:release()
      hold_and_die()
      do
        local held, word = lock:hold()
        report("hold", type(held) ~= "nil", word, lock:abandoned())
        local guard <close> = held
      end
      report("held", lock:locked(), lock:abandoned())
      hold_and_die()
      report("with", lock:with(function() return lock:abandoned(), "done" end))
      report("after with", lock:locked(), lock:abandoned(), lock:acquire())
      lock:release()
      hold_and_die()
      report("freed", lock:release())
      report("after freed", lock:locked(), lock:abandoned(), (lock:acquire()))
      lock:release()
    ]]):format(last))

    it("stays locked, and is abandoned", function() assert.equal("true true", out.dead) end)
    it("is acquired at once, with the word", function()
      assert.equal("true abandoned", out.acquire)
      assert.equal("true abandoned", out["not blocking"])
      assert.equal("true abandoned", out["with timeout"])
    end)
    it("stays abandoned until that holder releases", function()
      assert.equal("true true <Lock(owner=MainProcess)>", out.taken)
      assert.equal("false timeout", out.refused)
      assert.equal("", out.release)
    end)
    it("is ordinary after that", function() assert.equal("false false true", out.ordinary) end)
    it("is held with the word as second result", function()
      assert.equal("true abandoned true", out.hold)
      assert.equal("false false", out.held)
    end)
    it("is taken by with, which returns only the function's results", function()
      assert.equal("true done", out.with)
      assert.equal("false false true", out["after with"])
    end)
    it("may be released by another", function()
      assert.equal("", out.freed)
      assert.equal("false false true", out["after freed"])
    end)
  end)
end

describe("waiters for a lock", function()
  local out = support.fixture [[
    local lock, held, results, go = process.Lock(), process.Event(), process.Queue(), process.Event()
    local holder = process.Process(function()
      lock:acquire()
      held:set()
      process.sleep(100)
    end):start()
    held:wait()
    local waiters = {}
    for i = 1, 3 do
      waiters[i] = process.Process(function()
        local ok, word = lock:acquire()
        results:put{ i, ok, tostring(word) }
        go:wait()
        lock:release()
      end):start()
    end
    for _, p in ipairs(waiters) do fx.asleep(p.pid) end
    holder:kill()
    holder:join()
    local first = results:get()
    report("first", first[2], first[3], lock:abandoned())
    report("others wait", results:get(0.05))
    go:set()
    local second, third = results:get(), results:get()
    report("others", second[2], second[3], third[2], third[3], first[1] + second[1] + third[1])
    for _, p in ipairs(waiters) do p:join() end
    report("end", lock:locked(), lock:abandoned())
  ]]
  local killed = support.fixture [[
    local lock, results = process.Lock(), process.Queue()
    lock:acquire()
    local waiters = {}
    for i = 1, 4 do
      waiters[i] = process.Process(function()
        results:put{ i, lock:acquire() }
        lock:release()
      end):start()
    end
    for _, p in ipairs(waiters) do fx.asleep(p.pid) end
    waiters[1]:kill()
    waiters[3]:kill()
    waiters[1]:join()
    lock:release()
    local a, b = results:get(), results:get()
    report("sum", a[1] + b[1], a[2], a[3], b[2], b[3])
    for _, p in ipairs(waiters) do p:join() end
    report("end", lock:locked(), lock:abandoned(), results:get(false))
    report("usable", lock:acquire(), lock:abandoned())
  ]]

  it("are woken by the holder's death; one gets the lock, abandoned", function()
    assert.equal("true abandoned true", out.first)
    assert.equal("nil empty", out["others wait"])
  end)
  it("get it in turn, ordinary again", function()
    assert.equal("true nil true nil 6", out.others)
    assert.equal("false false", out["end"])
  end)
  it("that are killed take nothing along", function()
    assert.equal("6 true nil true nil", killed.sum)
    assert.equal("false false nil empty", killed["end"])
    assert.equal("true false", killed.usable)
  end)
end)

describe("a lock whose holder is stopped", function()
  local out = support.fixture [[
    local lock, held, go = process.Lock(), process.Event(), process.Event()
    local p = process.Process(function()
      lock:acquire()
      held:set()
      go:wait()
      lock:release()
    end):start()
    held:wait()
    os.execute("kill -STOP " .. p.pid)
    eventually(function() return fx.state(p.pid) == "T" end)
    report("refused", lock:acquire(0.05))
    report("not abandoned", lock:abandoned(), p:is_alive())
    go:set()
    os.execute("kill -CONT " .. p.pid)
    report("goes on", lock:acquire())
    p:join()
    report("end", p.exitcode)
  ]]

  it("is held: a timeout is a timeout", function()
    assert.equal("false timeout", out.refused)
    assert.equal("false true", out["not abandoned"])
  end)
  it("is passed on when the holder goes on", function()
    assert.equal("true", out["goes on"])
    assert.equal("0", out["end"])
  end)
end)

describe("holders killed at random moments", function()
  local out = support.fixture [[
    local lock, path = process.Lock(), os.tmpname()
    local function write(text) io.open(path, "w"):write(text):close() end
    local wrong = 0
    -- Without the word no section was cut off: what the lock guards is whole.
    local function section()
      local ok, word = lock:acquire(30)
      local text = io.open(path):read "a"
      if not ok or word ~= "abandoned" and text ~= "done" then wrong = wrong + 1 end
      write "done"
      lock:release()
      return wrong
    end
    write "done"
    for i = 1, 60 do
      local p = process.Process(function()
        while true do
          lock:acquire()
          write "busy"
          write "done"
          lock:release()
        end
      end):start()
      local bystander = process.Process(function() os.exit(section()) end):start()
      local moment = process.now() + 0.0005 + (i % 10) * 0.0002
      while process.now() < moment do end
      p:kill()
      section()
      p:join()
      bystander:join()
      if p.exitcode ~= -9 or bystander.exitcode ~= 0 then wrong = wrong + 1 end
    end
    report("wrong", wrong, lock:locked())
    os.remove(path)
  ]]

  it("leave a lock that works, and a word wherever a section was cut", function()
    assert.equal("0 false", out.wrong)
  end)
end)
