-- The raw fork, and the small calls of the module: pids, clock, sleep, processors.

local support = require "spec.support"

describe("a raw fork", function()
  local program = [[
    local fork, wait = %s, require "posix.sys.wait".wait
    local q, lock, go = process.Queue(), process.Lock(), process.Event()
    lock:acquire()
    local sibling = process.Process(function() go:wait() end):start()
    local main, key = process.getpid(), process.current_process().authkey
    local pid = fork()
    if pid == 0 then
      local self, parent = process.current_process(), process.parent_process()
      q:put{
        name = self.name, pid = process.getpid(), own = self.pid, key = self.authkey == key,
        parent = parent.pid, alive = parent:is_alive(), parent_name = parent.name,
        listed = #process.active_children(), join = try(sibling.join, sibling),
        held = tostring(lock:acquire(false)), locked = lock:locked(),
      }
      local grandchild = process.Process(function() q:put "grandchild" end):start()
      grandchild:join()
      q:put(grandchild.exitcode)
      os.exit(7)
    end
    local s = q:get()
    report("pid", math.type(pid), s.pid == pid, s.own == pid)
    report("name", s.name, s.key)
    report("parent", s.parent == main, s.alive, s.parent_name)
    report("listed", s.listed, #process.active_children(), process.active_children()[1] == sibling)
    report("sibling", s.join)
    report("lock", s.held, s.locked, lock:abandoned())
    report("children", q:get(), q:get())
    report("zombie", fx.zombie(pid))
    report("unreaped", #process.active_children(), fx.state(pid))
    local waited, how, code = wait(pid)
    report("waited", waited == pid, how, code)
    go:set()
    sibling:join()
  ]]

  for name, fork in pairs {
    ["of the module"] = "process.fork", ["of luaposix"] = 'require "posix.unistd".fork'
  } do
    describe(name, function()
      local out = support.fixture(program:format(fork))

      it("gives the child's pid", function() assert.equal("integer true true", out.pid) end)
      it("keeps the process's name and authkey", function()
        assert.equal("MainProcess true", out.name)
      end)
      it("makes the forker the parent", function()
        assert.equal("true true MainProcess", out.parent)
      end)
      it("is nobody's active child and has none itself", function()
        assert.equal("0 1 true", out.listed)
      end)
      it("cannot join its parent's children", function()
        support.mentions(out.sibling, "can only join a child process")
      end)
      it("holds none of its parent's locks", function()
        assert.equal("false true false", out.lock)
      end)
      it("can use the module, children included", function()
        assert.equal("grandchild 0", out.children)
      end)
      it("is waited for by nobody but wait", function()
        assert.equal("true", out.zombie)
        assert.equal("1 Z", out.unreaped)
        assert.equal("true exited 7", out.waited)
      end)
    end)
  end
end)

describe("raw forks in a loop", function()
  it("go on with the loop: seven greetings after three forks", function()
    local result = support.run [[
      io.write "start|"
      for i = 1, 3 do if process.fork() == 0 then print "hello" end end
    ]]
    assert.equal(1, support.count(result.stdout, "start|"))
    assert.equal(7, support.count(result.stdout, "hello\n"))
  end)
  it("greet three times where the child exits", function()
    local result = support.run [[
      io.write "start|"
      for i = 1, 3 do if process.fork() == 0 then io.write "hello|"; os.exit() end end
      io.write "main|"
    ]]
    assert.equal(1, support.count(result.stdout, "start|"))
    assert.equal(3, support.count(result.stdout, "hello|"))
    assert.equal(1, support.count(result.stdout, "main|"))
    assert.equal(0, result.status)
  end)
end)

describe("the end of a raw fork", function()
  local out = support.fixture [[
    local wait = require "posix.sys.wait".wait
    local ready, ending = process.Event(), process.Event()
    local pid = process.fork()
    if pid == 0 then
      process.Process(function()
        ending:wait()
        fx.asleep(process.getppid())
        report("child", "waited for")
      end):start()
      process.Process{ daemon = true, target = function()
        ready:set()
        process.sleep(100)
      end }:start()
      ready:wait()
      ending:set()
      io.write "buffered\tonce\n"
      error "uncaught"
    end
    local _, how, code = wait(pid)
    report("end", how, code)
  ]]

  it("is a main program's: children joined, daemons ended, streams flushed", function()
    assert.equal("waited for", out.child)
    assert.equal("once", out.buffered)
    assert.equal("exited 1", out["end"])
    assert.equal(1, support.count(out().stderr, "uncaught\n"))
  end)
  it("is not awaited by the parent's end", function()
    local result = support.run [[
      local main = process.getpid()
      if process.fork() == 0 then
        eventually(function() return process.getppid() ~= main end)
        print "outlived"
        os.exit(0)
      end
      print "main"
    ]]
    assert.equal("main\noutlived\n", result.stdout)
  end)
  it("by os.exit leaves a file that the parent is reading where it is", function()
    local result = support.run [[
      local wait = require "posix.sys.wait".wait
      local name = os.tmpname()
      local file = assert(io.open(name, "w"))
      for i = 1, 9 do file:write("line ", i, "\n") end
      file:close()
      local n = 0
      for _ in io.lines(name) do
        n = n + 1
        if n == 20 then break end
        if process.fork() == 0 then os.exit(n) end
        assert(select(3, wait()) == n)
      end
      os.remove(name)
      print("lines", n)
    ]]
    assert.equal("lines\t9\n", result.stdout)
  end)
  it("of a fork that forked leaves an orphan behind", function()
    local result = support.run [[
      local main = process.getpid()
      local q = process.Queue()
      if process.fork() == 0 then
        local middle = process.getpid()
        if process.fork() == 0 then
          eventually(function() return process.getppid() ~= middle end)
          q:put(process.getppid() ~= main)
          eventually(function() return fx.state(main) == "gone" end)
          print "outlived"
        end
        os.exit(0)
      end
      print("adopted", q:get())
    ]]
    assert.equal("adopted\ttrue\noutlived\n", result.stdout)
  end)
end)

describe("the module", function()
  local out = support.fixture [[
    local pid, ppid = process.getpid(), process.getppid()
    report("getpid", io.open("/proc/self/stat"):read("n") == pid, math.type(pid))
    local status = io.open("/proc/self/status"):read("a")
    report("getppid", status:match("PPid:%s*(%d+)") == tostring(ppid))
    local a, b = process.now(), process.now()
    report("now", math.type(a), a <= b)
    local seconds, n = fx.timed(function() return select("#", process.sleep(0.05)) end)
    report("sleep", seconds >= 0.05, n)
    report("zero", select("#", process.sleep(0)))
    local p = process.Process(process.sleep, 0.02):start()
    report("undisturbed", fx.timed(process.sleep, 0.2) >= 0.2, p:is_alive())
    report("cpus", math.type(process.cpu_count()), process.cpu_count() >= 1)
    local nproc = io.popen("nproc"):read("n")
    report("nproc", process.cpu_count() <= nproc)
    report("same", require "process" == process, package.loaded.process == process)
  ]]
  local one_cpu = [[$(sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status)]]
  local pinned = support.fixture([[report("cpus", process.cpu_count())]],
    { wrap = "taskset -c " .. one_cpu })

  it("knows the process's and its parent's pid", function()
    assert.equal("true integer", out.getpid)
    assert.equal("true", out.getppid)
  end)
  it("has a clock that does not go back", function() assert.equal("float true", out.now) end)
  it("sleeps no less than it is told, and says nothing", function()
    assert.equal("true 0", out.sleep)
    assert.equal("0", out.zero)
  end)
  it("sleeps on when a child ends", function() assert.equal("true false", out.undisturbed) end)
  it("counts the processors that this process may use", function()
    assert.equal("integer true", out.cpus)
    assert.equal("true", out.nproc)
    assert.equal("1", pinned.cpus)
  end)
  it("is one table", function() assert.equal("true true", out.same) end)
end)
