-- What is no deadlock: no error, nothing on stderr. A false alarm breaks a correct program, so each
-- of these goes on for longer than it takes to find one. They run side by side.

local support = require "spec.support"

-- The program must print "fine" and nothing else, anywhere.
local function quiet(title, source)
  local run = support.start('local function named(name, target, ...) return process.Process{ '
    .. 'name = name, target = target, args = { ... } }:start() end ' .. source)
  it("is none: " .. title, function()
    local result = run:finish()
    assert.equal("", result.stderr)
    assert.equal("fine\n", result.stdout)
    assert.equal(0, result.status)
  end)
end

-- Seconds: longer than anybody looks on before an alarm.
local LONG = "2.5"

describe("a deadlock", function()
  quiet("two that want each other's lock, both for a while", [[
    local one, two = process.Lock(), process.Lock()
    one:acquire()
    local p = named("p", function()
      two:acquire()
      os.exit(one:acquire(true, 2.5) and 1 or 7)
    end)
    eventually(function() return two:locked() end)
    if not two:acquire(true, 2) then p:join() end
    print(p.exitcode == 7 and "fine")
  ]])

  quiet("two that want each other's lock, one of them for a while", [[
    local one, two = process.Lock(), process.Lock()
    one:acquire()
    local p = named("p", function()
      two:acquire()
      one:acquire()
    end)
    eventually(function() return two:locked() end)
    local got = two:acquire(]] .. LONG .. [[)
    one:release()
    p:join()
    print(not got and p.exitcode == 0 and "fine")
  ]])

  for how, work in pairs{
    ["that sleeps"] = "process.sleep(" .. LONG .. ")",
    ["that is busy"] = "local t = process.now() while process.now() < t + " .. LONG .. " do end",
    ["that reads"] = "io.popen('sleep " .. LONG .. "'):read 'a'",
    ["that waits for a program"] = "os.execute('sleep " .. LONG .. "')",
    ["that waits for a while"] = "process.Event():wait(" .. LONG .. ")",
  } do
    quiet("a Lock acquired twice, with another process " .. how .. " and then releases it", ([[
      local lock = process.Lock()
      lock:acquire()
      local p = named("p", function()
        %s
        lock:release()
      end)
      print(lock:acquire() and p:join() and "fine")
    ]]):format(work))
    quiet("everybody waits for one " .. how, ([[
      local event, q, small = process.Event(), process.Queue(), process.Queue(1)
      local lock = process.Lock()
      lock:acquire()
      small:put(0)
      local waiting = {
        named("a", event.wait, event), named("b", q.get, q), named("c", small.put, small, 1),
        named("d", lock.acquire, lock), named("e", function() event:wait() end),
      }
      named("f", function()
        %s
        q:put(1)
        small:get()
        event:set()
        lock:release()
      end)
      local codes = 0
      for _, p in ipairs(waiting) do p:join() codes = codes + p.exitcode end
      print(codes == 0 and "fine")
    ]]):format(work))
  end

  quiet("locks that others release, as signals", [[
    local one, two = process.Lock(), process.Lock()
    for _, lock in ipairs{ one, two } do
      lock:acquire()
      named("first", lock.release, lock):join()
      lock:acquire()
    end
    local held = process.Event()
    local p = named("p", function()
      two:release()
      two:acquire()
      held:set()
      one:acquire()
    end)
    held:wait()
    named("q", function()
      process.sleep(]] .. LONG .. [[)
      two:release()
      one:release()
    end)
    print(two:acquire() and p:join() and p.exitcode == 0 and "fine")
  ]])

  quiet("a Lock handed to and fro", [[
    local there, back = process.Lock(), process.Lock()
    there:acquire()
    back:acquire()
    local p = named("p", function()
      for _ = 1, 6 do
        there:acquire()
        process.sleep(0.5)
        back:release()
      end
    end)
    for _ = 1, 6 do
      there:release()
      back:acquire()
    end
    print(p:join() and p.exitcode == 0 and "fine")
  ]])

  -- A stopped process was woken and does not know it. The shell is no member of the program.
  for what, source in pairs{
    ["for an item"] = { "q:get()", "q:put(1)" },
    ["for an item of a queue that is shut down"] = { "q:get()", "q:shutdown()" },
    ["for room"] = { "small:put(1)", "small:get()" },
    ["for an event"] = { "event:wait()", "event:set()" },
    ["for a lock"] = { "lock:acquire()", "lock:release()" },
    ["for a lock whose holder has died"] = { "other:acquire()", "holder:kill() holder:join()" },
  } do
    quiet("a process that waits " .. what .. ", has got it, and is stopped", ([[
      local event, q, small = process.Event(), process.Queue(), process.Queue(1)
      local lock, other = process.Lock(), process.Lock()
      lock:acquire()
      small:put(0)
      local holder = named("holder", function() other:acquire() process.sleep(60) end)
      eventually(function() return other:locked() end)
      local p = named("p", function() %s end)
      fx.asleep(p.pid)
      eventually(function()
        for _, member in ipairs(process.stats().processes) do
          if member.pid == p.pid and member.waits then return true end
        end
      end)
      os.execute("kill -STOP " .. p.pid)
      eventually(function() return fx.state(p.pid) == "T" end)
      %s
      holder:kill()
      holder:join()
      io.popen("sleep %s; kill -CONT " .. p.pid)
      print(p:join() and p.exitcode == 0 and "fine")
    ]]):format(source[1], source[2], LONG))
  end

  quiet("a child that became another program", [[
    local exec = require "posix.unistd".execp
    local p = named("p", function() exec("sleep", { "]] .. LONG .. [[" }) end)
    print(p:join() and p.exitcode == 0 and "fine")
  ]])

  quiet("a child that ends its daemon, and a child that waits for its own child", [[
    local event = process.Event()
    local p = named("p", function()
      process.Process{ target = event.wait, args = { event }, daemon = true }:start()
      process.Process{ target = process.sleep, args = { ]] .. LONG .. [[ } }:start()
    end)
    print(p:join() and p.exitcode == 0 and "fine")
  ]])

  quiet("a main program that ends while its children work", [[
    local lock = process.Lock()
    lock:acquire()
    for i = 1, 3 do
      named("p", function()
        process.sleep(]] .. LONG .. [[)
        if i == 2 then print "fine" io.stdout:flush() end
      end)
    end
  ]])

  quiet("a raw fork that is waited for", [[
    local wait = require "posix.sys.wait".wait
    local event = process.Event()
    local p = named("p", event.wait, event)
    local pid = process.fork()
    if pid == 0 then
      process.sleep(]] .. LONG .. [[)
      event:set()
      os.exit(0)
    end
    p:join()
    wait(pid)
    print(p.exitcode == 0 and "fine")
  ]])

  quiet("two locks taken in the same order, held for long, by many", [[
    local one, two = process.Lock(), process.Lock()
    local crowd, codes = {}, 0
    for i = 1, 6 do
      crowd[i] = named("p", function()
        for _ = 1, 4 do
          local first <close> = one:hold()
          two:with(process.sleep, 0.1)
        end
      end)
    end
    for _, p in ipairs(crowd) do p:join() codes = codes + p.exitcode end
    print(codes == 0 and "fine")
  ]])

  quiet("200 runs of a crowd at two locks", [[
    local one, two = process.Lock(), process.Lock()
    local wrong = 0
    for _ = 1, 200 do
      local crowd = {}
      for i = 1, 4 do
        crowd[i] = named("p", function()
          for _ = 1, 30 do
            local first <close> = one:hold()
            two:acquire()
            two:release()
          end
        end)
      end
      for _, p in ipairs(crowd) do p:join() wrong = wrong + p.exitcode end
    end
    print(wrong == 0 and "fine")
  ]])

  quiet("a queue that is slowly filled and slowly emptied", [[
    local q = process.Queue(2)
    local p = named("p", function()
      for i = 1, 4 do
        q:put(i)
        process.sleep(0.8)
      end
      q:put_many{ 5, 6, 7, 8 }
      q:shutdown()
    end)
    local sum = 0
    for i in q:items() do
      sum = sum + i
      if i > 4 then process.sleep(0.8) end
    end
    print(sum == 36 and p:join() and "fine")
  ]])
end)
