-- Ctrl-C at any moment: a program is interrupted again and again, each time somewhere else.

local support = require "spec.support"

-- Runs family.lua often, each in a session of its own that gets SIGINT after a random time from
-- its exec on, and reports what did not end as it should. Arguments: how many times; longest delay,
-- seconds; who gets it: "group" or "main"; longest time until a second one, or "none"; arguments of
-- the program.
local DRIVER = [[
  local lfs, system = require "lfs", require "system"
  local fcntl, signal = require "posix.fcntl", require "posix.signal"
  local unistd, wait = require "posix.unistd", require "posix.sys.wait"
  local times, longest, whom, second = tonumber(arg[1]), tonumber(arg[2]), arg[3], tonumber(arg[4])
  local program = table.move(arg, 5, #arg, 2, { "spec/fixtures/death/family.lua" })
  local base = os.tmpname()
  local random = 42

  local function uniform(most)
    random = (random * 1103515245 + 12345) & 0x7fffffff
    return random / 0x7fffffff * most
  end

  local function read(path)
    local file <close> = io.open(path, "rb")
    return file and file:read "a" or ""
  end

  local function redirect(fd, path)
    unistd.dup2(assert(fcntl.open(path, fcntl.O_WRONLY | fcntl.O_CREAT | fcntl.O_TRUNC, 384)), fd)
  end

  -- Returns once the program runs, however little of it.
  local function start()
    local from, to = unistd.pipe()
    local pid = unistd.fork()
    if pid == 0 then
      unistd.setpid "s"
      redirect(1, base .. ".out")
      redirect(2, base .. ".err")
      fcntl.fcntl(to, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
      unistd.exec(os.getenv "MPL_UNDER_TEST", program)
      os.exit(127)
    end
    unistd.close(to)
    unistd.read(from, 1)
    unistd.close(from)
    return pid
  end

  -- The living processes of a session.
  local function members(session)
    local list = {}
    for pid in lfs.dir "/proc" do
      local state, its = read("/proc/" .. pid .. "/stat"):match "%) (%a) %d+ %d+ (%d+)"
      if state and state ~= "Z" and state ~= "X" and tonumber(its) == session then
        list[#list + 1] = tonumber(pid)
      end
    end
    return list
  end

  -- Seconds until nobody is left; those who are after ten seconds are killed.
  local function empty(session)
    local began = system.monotime()
    while #members(session) > 0 do
      if system.monotime() - began > 10 then
        for _, pid in ipairs(members(session)) do signal.kill(pid, signal.SIGKILL) end
        return math.huge
      end
      system.sleep(0.001)
    end
    return system.monotime() - began
  end

  local function count(text, part)
    return select(2, text:gsub(part, ""))
  end

  -- What is wrong with an end, or nil.
  local function fault(how, code, out, err)
    local tracebacks, rounds = count(err, "stack traceback:"), 0
    for n in out:gmatch "round (%d+)\n" do
      rounds = rounds + 1
      if tonumber(n) ~= rounds then return "output more than once" end
    end
    if count(out, "\n") ~= rounds then return "half a line" end
    if how == "exited" and code == 0 then
      return (tracebacks > 0 or rounds ~= 8) and "not all done" or nil
    end
    if how ~= "killed" or code ~= signal.SIGINT then return "ended by " .. how .. " " .. code end
    if tracebacks > 1 then return "more than one traceback" end
    if tracebacks == 0 and rounds > 0 and not second then return "no traceback" end
    if tracebacks == 0 and err ~= "" then return "something else on stderr" end
  end

  local ends, slowest = { silent = 0, traceback = 0, complete = 0 }, 0
  for i = 1, times do
    local pid = start()
    local to = whom == "group" and -pid or pid
    system.sleep(uniform(longest))
    signal.kill(to, signal.SIGINT)
    if second then
      system.sleep(uniform(second))
      signal.kill(to, signal.SIGINT)
    end
    local _, how, code = wait.wait(pid)
    local left = empty(pid)
    slowest = math.max(slowest, left)
    local out, err = read(base .. ".out"), read(base .. ".err")
    local wrong = fault(how, code, out, err) or left == math.huge and "processes left"
    if wrong then print(("wrong %d: %s\n%s\n%s"):format(i, wrong, out, err)) end
    local kind = how == "exited" and "complete" or err == "" and "silent" or "traceback"
    ends[kind] = ends[kind] + 1
  end
  for _, suffix in ipairs { "", ".out", ".err" } do os.remove(base .. suffix) end
  print(("ends: %d complete, %d with a traceback, %d silent; all gone after %.3f s"):format(
    ends.complete, ends.traceback, ends.silent, slowest))
]]

-- The mpl under test; the driver runs in it, too, as it needs luaposix.
local MPL = os.getenv "MPL" or "./mpl"

-- The numbers of the three ways to end: all was done; with a traceback; without a word.
local function interrupt(...)
  local result = support.run(DRIVER,
    { bare = true, args = { ... }, env = { MPL_UNDER_TEST = MPL }, deadline = 200 })
  assert.equal("", result.stderr)
  assert.equal(0, support.count(result.stdout, "wrong"), result.stdout)
  local complete, traceback, silent =
    result.stdout:match "(%d+) complete, (%d+) with.- (%d+) silent"
  assert.is_truthy(complete, result.stdout)
  if os.getenv "MPL_VERBOSE" then print(result.stdout) end
  return tonumber(complete), tonumber(traceback), tonumber(silent)
end

-- Longer than the program takes, slow machines aside: some runs are complete.
local LIFE = support.sanitized and 0.5 or 0.03

-- How often, of so many times in a plain build.
local function times(n)
  return tostring(support.sanitized and n // 4 or n)
end

describe("Ctrl-C at any moment", function()
  for _, whom in ipairs { "group", "main" } do
    it("ends a program with one traceback and nobody left: to " .. whom, function()
      local _, traceback, silent = interrupt(times(100), tostring(LIFE), whom, "none")
      assert.is_true(traceback > 0)
      assert.is_true(silent < tonumber(times(100)))
    end)
  end

  it("during the first moments is as good", function()
    local complete = interrupt(times(80), "0.004", "group", "none")
    assert.equal(0, complete)
  end)
end)

describe("Ctrl-C that main passes on", function()
  it("does not disturb a child that has it from the terminal and is ending", function()
    local run = support.start [[
      local ready, passed = process.Event(), process.Event()
      process.Process(function()
        process.atexit(function()
          fx.asleep(process.getppid()) -- main has sent its own SIGINT
          print "handler"
        end)
        ready:set()
        process.sleep(1000)
      end):start()
      ready:wait()
      print "ready"
      process.sleep(1000)
    ]]
    run:wait_for "ready\n"
    run:wait_asleep():signal("INT", -run:pid())
    local result = run:finish()
    assert.equal("ready\nhandler\n", result.stdout)
    assert.equal(1, support.count(result.stderr, "interrupted!"), result.stderr)
    assert.equal(2, result.signal)
  end)

  it("is not taken for an interrupt that the child has handled before", function()
    local run = support.start [[
      local ready = process.Queue()
      local p = process.Process(function()
        local ok = pcall(function()
          ready:put "ready"
          process.sleep(1000)
        end)
        ready:put(ok)
        process.sleep(1000)
      end):start()
      ready:get()
      p:interrupt()
      print("handled", ready:get())
      process.sleep(1000)
    ]]
    run:wait_for "handled\tfalse\n"
    run:wait_asleep():signal("INT", -run:pid())
    local result = run:finish()
    assert.equal(1, support.count(result.stderr, "stack traceback:"), result.stderr)
    assert.equal(2, result.signal)
  end)
end)

describe("a child that gets interrupt twice", function()
  it("dies of the second, with what it has started, if it did not listen to the first", function()
    local result = support.run [[
      local unistd = require "posix.unistd"
      local pids = process.Queue()
      local p = process.Process(function()
        local grandchild = process.Process(process.sleep, 1000):start()
        pids:put(grandchild.pid)
        unistd.read(unistd.pipe(), 1) -- C code, taken up again after a signal
      end):start()
      local pid = pids:get()
      for _ = 1, 5 do -- in the read, not on the way to it
        fx.asleep(p.pid)
        process.sleep(0.002)
      end
      p:interrupt()
      eventually(function() -- it has come
        local status <close> = assert(io.open("/proc/" .. p.pid .. "/status"))
        return status:read("a"):match "ShdPnd:%s*0+\n"
      end)
      p:interrupt()
      p:join()
      print(p.exitcode)
      eventually(function() return fx.state(pid) == "gone" or fx.state(pid) == "Z" end)
      print "gone"
    ]]
    assert.equal("-2\ngone\n", result.stdout)
    assert.equal("", result.stderr)
  end)
end)

describe("a second Ctrl-C at any moment", function()
  for _, whom in ipairs { "group", "main" } do
    it("ends a program at once, with whatever it has started: to " .. whom, function()
      local complete = interrupt(times(40), tostring(LIFE), whom, "0.02", "stubborn")
      assert.equal(0, complete)
    end)
  end
end)
