-- Lock: what happens when a holder or a waiter dies, or a holder is stopped.

local support = require "spec.support"

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
        local hold, word = lock:hold()
        local guard <close> = hold
        report("hold", hold ~= nil, word, lock:abandoned())
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
    local lock, results = process.Lock(), process.Queue()
    local held, go = process.Event(), process.Event()
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
