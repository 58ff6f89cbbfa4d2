-- Ctrl-C: SIGINT to the main program, alone or with its process group.

local system = require "system"
local support = require "spec.support"

local SIGINT = 2

-- Where main is when the signal comes; `busy` where it does not sleep there.
local WAITS = {
  { "a busy loop", "while true do end", busy = true },
  { "a busy coroutine", "coroutine.wrap(function() while true do end end)()", busy = true },
  { "a busy coroutine resumed again and again", [[
      local co = coroutine.wrap(function() while true do coroutine.yield() end end)
      while true do co() end
    ]], busy = true },
  { "a busy loop under calls",
    "local function f(n) if n > 0 then f(n - 1) end end while true do f(50) end", busy = true },
  { "sleep", "process.sleep(1000)" },
  { "the get of an empty queue", "process.Queue():get()" },
  { "the get of an empty queue with a timeout", "process.Queue():get(1000)" },
  { "the get of many", "process.Queue():get_many(5)" },
  { "the put into a full queue", "full:put(2)" },
  { "the put of many into a full queue", "full:put_many{ 2, 3 }" },
  { "the acquire of a lock", "lock:acquire()" },
  { "the hold of a lock", "local held <close> = lock:hold(1000)" },
  { "the with of a lock", "lock:with(print)" },
  { "join", "child:join()" },
  { "join with a timeout", "child:join(1000)" },
  { "the wait for an event", "process.Event():wait()" },
  { "the wait at the program's end", "" },
  { "the wait at the program's end after os.exit", "os.exit(3)" },
}

local PROGRAM = [[
  local lock, full, ready = process.Lock(), process.Queue(1), process.Event()
  full:put(1)
  local child = process.Process(function()
    lock:acquire()
    ready:set()
    process.sleep(1000)
  end):start()
  ready:wait()
  print "ready"
  %s
]]

describe("Ctrl-C", function()
  for _, wait in ipairs(WAITS) do
    for whom, sign in pairs { ["main alone"] = 1, ["the whole group"] = -1 } do
      it(("to %s ends a program in %s, with one traceback"):format(whom, wait[1]), function()
        local run = support.start(PROGRAM:format(wait[2]))
        run:wait_for "ready\n"
        if not wait.busy then run:wait_asleep() end
        run:signal("INT", sign * run:pid())
        local result = run:finish()
        assert.equal(SIGINT, result.signal)
        assert.equal("ready\n", result.stdout)
        assert.equal(1, support.count(result.stderr, "stack traceback:"), result.stderr)
        assert.equal(1, support.count(result.stderr, "interrupted"), result.stderr)
      end)
    end
  end

  it("is status 130 to a shell", function()
    local run = support.start([[
      print("pid " .. process.getpid() .. ";")
      process.sleep(1000)
    ]], { shell = function(command) return command .. '; echo "status $?"' end })
    run:signal("INT", tonumber((run:wait_for "pid (%d+);")))
    local result = run:finish()
    assert.matches("status 130\n$", result.stdout)
    assert.equal(1, support.count(result.stderr, "stack traceback:"))
  end)

  it("to the group reaches children of children, silently", function()
    local run = support.start [[
      local ready = process.Event()
      process.Process(function()
        process.Process(function()
          ready:set()
          process.sleep(1000)
        end):start():join()
      end):start()
      ready:wait()
      print "ready"
      process.sleep(1000)
    ]]
    run:wait_for "ready\n"
    run:wait_asleep():signal("INT", -run:pid())
    local result = run:finish()
    assert.equal(SIGINT, result.signal)
    assert.equal(1, support.count(result.stderr, "stack traceback:"), result.stderr)
  end)

  it("interrupts many children, busy ones too", function()
    local run = support.start [[
      local ready = process.Queue()
      for i = 1, 8 do
        process.Process{ daemon = i % 4 == 0, target = function()
          ready:put(i)
          if i % 2 == 0 then while true do end end
          process.sleep(1000)
        end }:start()
      end
      for _ = 1, 8 do ready:get() end
      print "ready"
      process.sleep(1000)
    ]]
    run:wait_for "ready\n"
    run:wait_asleep():signal "INT"
    local result = run:finish()
    assert.equal(SIGINT, result.signal)
    assert.equal(1, support.count(result.stderr, "stack traceback:"), result.stderr)
  end)

  it("lets children handle it, flush and run their handlers", function()
    local run = support.start [[
      local ready = process.Queue()
      process.Process(function()
        process.atexit(io.write, "handler|")
        ready:put(true)
        local ok, message = pcall(process.sleep, 1000)
        io.write(tostring(ok), "|", tostring(message):match("interrupted") or message, "|")
      end):start()
      ready:get()
      print "ready"
      process.sleep(1000)
    ]]
    run:wait_for "ready\n"
    run:wait_asleep():signal "INT"
    local result = run:finish()
    assert.equal(SIGINT, result.signal)
    assert.equal("ready\nfalse|interrupted|handler|", result.stdout)
  end)

  it("flushes main's output and runs its handlers", function()
    local run = support.start [[
      process.atexit(io.write, "handler|")
      print "ready"
      io.write "buffered|"
      process.sleep(1000)
    ]]
    run:wait_for "ready\n"
    run:wait_asleep():signal "INT"
    local result = run:finish()
    assert.equal(SIGINT, result.signal)
    assert.equal("ready\nbuffered|handler|", result.stdout)
  end)

  local STUBBORN = {
    ["handle it and go on"] = "while true do pcall(process.sleep, 1000) end",
    ["ignore it"] = "process.sleep(1000)",
  }
  for what, body in pairs(STUBBORN) do
    it("kills children that " .. what .. " after two seconds", function()
      local run = support.start(([[
        local signal = require "posix.signal"
        local ready = process.Event()
        process.Process(function()
          if %q == "ignore it" then signal.signal(signal.SIGINT, signal.SIG_IGN) end
          ready:set()
          %s
        end):start()
        ready:wait()
        print "ready"
        process.sleep(1000)
      ]]):format(what, body))
      run:wait_for "ready\n"
      run:wait_asleep()
      local began = system.monotime()
      run:signal "INT"
      local result = run:finish()
      assert.equal(SIGINT, result.signal)
      assert.is_true(system.monotime() - began >= 1.9)
      assert.equal(1, support.count(result.stderr, "stack traceback:"), result.stderr)
    end)
  end

  for _, index in ipairs { 1, 2, 5, 6, 11, 14, 16 } do
    local wait = WAITS[index]
    it("that the program handles lets it go on: in " .. wait[1], function()
      local run = support.start(([[
        local lock, ready, go = process.Lock(), process.Event(), process.Queue()
        local child = process.Process(function()
          lock:acquire()
          ready:set()
          print("child", go:get())
          lock:release()
        end):start()
        ready:wait()
        for i = 1, 2 do
          local ok, message = pcall(function()
            print("ready", i)
            %s
          end)
          print("handled", i, ok, (tostring(message):find("interrupted", 1, true)) ~= nil)
        end
        go:put "lives"
        print("joined", child:join(), child.exitcode, lock:acquire())
      ]]):format(wait[2]))
      for i = 1, 2 do
        run:wait_for("ready\t" .. i)
        if not wait.busy then run:wait_asleep() end
        run:signal "INT"
        run:wait_for("handled\t" .. i)
      end
      local result = run:finish()
      assert.equal("ready\t1\nhandled\t1\tfalse\ttrue\nready\t2\nhandled\t2\tfalse\ttrue\n"
        .. "child\tlives\njoined\ttrue\t0\ttrue\n", result.stdout)
      assert.equal("", result.stderr)
      assert.equal(0, result.status)
    end)
  end
end)

describe("a second Ctrl-C", function()
  it("while children are waited for does not leave any behind", function()
    local run = support.start [[
      local ready = process.Event()
      process.Process(function()
        ready:set()
        while true do
          pcall(process.sleep, 1000)
          print "child interrupted"
        end
      end):start()
      ready:wait()
      print "ready"
      process.sleep(1000)
    ]]
    run:wait_for "ready\n"
    run:wait_asleep():signal "INT"
    run:wait_for "child interrupted\n"
    run:signal "INT"
    local result = run:finish()
    assert.equal(SIGINT, result.signal)
    assert.equal(1, support.count(result.stderr, "stack traceback:"), result.stderr)
  end)
end)
