-- Who outlives whom: daemons, orphans, children of children.

local support = require "spec.support"

describe("a daemonic process", function()
  local out = support.fixture [[
    local p = process.Process{ daemon = true, target = function()
      report("current", process.current_process().daemon)
      report("default", process.Process{ target = print }.daemon)
      report("override", process.Process{ target = print, daemon = false }.daemon)
      report("start", try(function() process.Process(report, "grandchild", "ran"):start() end))
      report("plain", try(function() process.Process{ daemon = false, target = print }:start() end))
    end }
    p:start():join()
    report("end", p.exitcode)
    local late = process.Process(function() end)
    late.daemon = true
    late:start()
    report("set", try(function() late.daemon = true end))
    report("unset", try(function() late.daemon = false end))
    late:join()
    report("dead", try(function() late.daemon = false end))
    report("repr", (tostring(process.Process{ name = "D", daemon = true }):gsub("%d+", "N")))
  ]]

  it("knows that it is one", function()
    assert.equal("true", out.current)
    assert.equal("0", out["end"])
  end)
  it("makes daemons by default", function()
    assert.equal("true", out.default)
    assert.equal("false", out.override)
  end)
  it("may not have children", function()
    local text = "daemonic processes are not allowed to have children"
    support.mentions(out.start, text)
    support.mentions(out.plain, text)
    assert.equal(0, support.count(out().stdout, "grandchild\t"))
  end)
  it("is made one before its start or never", function()
    for _, when in ipairs { "set", "unset", "dead" } do
      support.mentions(out[when], "process has already started")
    end
  end)
  it("shows that it is one", function()
    assert.equal("<Process name='D' parent=N initial daemon>", out.repr)
  end)
end)

describe("the end of the main program", function()
  local program = [[
    local ready, ending = process.Event(), process.Event()
    process.Process{ daemon = true, target = function()
      ready:set()
      process.sleep(100)
      print "daemon was waited for"
    end }:start()
    process.Process(function()
      ending:wait()
      fx.asleep(process.getppid())
      for i = 1, 3 do
        process.sleep(0.02)
        print("child", i)
      end
    end):start()
    ready:wait()
    print "main"
    ending:set()
    %s
  ]]
  local ends = { ["a return"] = { "", 0 }, ["an error"] = { "error 'at the end'", 1 },
    ["os.exit"] = { "os.exit(7)", 7 }, ["os.exit, closing"] = { "os.exit(true, true)", 0 } }

  for name, case in pairs(ends) do
    it("by " .. name .. " waits for its children and ends its daemons", function()
      local result = support.run(program:format(case[1]))
      assert.equal("main\nchild\t1\nchild\t2\nchild\t3\n", result.stdout)
      assert.equal(case[2], result.status)
    end)
  end

  it("has nothing to wait for where there are only daemons, however they are", function()
    local result = support.run [[
      local ready = process.Queue()
      for i = 1, 4 do
        process.Process{ daemon = true, target = function()
          ready:put(i)
          if i == 1 then while true do end end
          if i == 2 then process.Queue():get() end
          if i == 3 then process.sleep(100) end
        end }:start()
      end
      for _ = 1, 4 do ready:get() end
      print "main"
    ]]
    assert.equal("main\n", result.stdout)
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
  end)
end)

describe("a main program that is killed", function()
  local program = [[
    local q, lock, ready = process.Queue(), process.Lock(), process.Event()
    local main = process.getpid()
    process.Process{ name = "orphan", target = function()
      eventually(function() return process.getppid() ~= main end)
      report("parent", process.parent_process():is_alive(), process.parent_process():join(30))
      report("name", process.parent_process().name, process.parent_process().pid == main)
      lock:with(function() q:put "from an orphan" end)
    end }:start()
    process.Process(function()
      report("queue", q:get())
      report("lock", lock:acquire())
    end):start()
    process.Process{ daemon = true, target = function()
      process.atexit(report, "exit handler", "ran")
      io.write "unflushed"
      ready:set()
      process.sleep(100)
    end }:start()
    ready:wait()
    fx.die "%s"
  ]]

  for signal, number in pairs { KILL = 9, TERM = 15 } do
    describe("by SIG" .. signal, function()
      local result
      lazy_setup(function() result = support.run(program:format(signal)) end)

      it("dies of it", function() assert.equal(number, result.signal) end)
      it("leaves its children, which go on with another parent", function()
        assert.equal(1, support.count(result.stdout, "parent\tfalse true\n"))
        assert.equal(1, support.count(result.stdout, "name\tMainProcess true\n"))
      end)
      it("leaves queues and locks working", function()
        assert.equal(1, support.count(result.stdout, "queue\tfrom an orphan\n"))
        assert.equal(1, support.count(result.stdout, "lock\ttrue\n"))
      end)
      it("takes its daemons along, without flush or exit handler", function()
        assert.equal(0, support.count(result.stdout, "unflushed"))
        assert.equal(0, support.count(result.stdout, "exit handler"))
      end)
    end)
  end
end)

describe("children of children", function()
  local out = support.fixture [[
    local results = process.Queue()
    local function recurse(path)
      results:put(path)
      if #path < 2 then
        for i = 0, 1 do
          process.Process(recurse, path .. i):start():join()
        end
      end
    end
    recurse ""
    local list = results:get_many(100)
    report("order", table.concat(list, ","))

    local up = process.Queue()
    local p = process.Process(function()
      local mine = process.parent_process()
      process.Process{ name = "grandchild", target = function()
        local parent = process.parent_process()
        up:put{ parent.name, parent.pid == process.getppid(), parent:is_alive(), mine.name }
      end }:start():join()
    end)
    p.name = "middle"
    p:start():join()
    report("parents", table.unpack(up:get()))
  ]]

  it("work to any depth", function() assert.equal(",0,00,01,1,10,11", out.order) end)
  it("know their parent by name and pid", function()
    assert.equal("middle true true MainProcess", out.parents)
  end)
end)

describe("the end of a child that has children", function()
  local out = support.fixture [[
    local q, ready, ending = process.Queue(), process.Event(), process.Event()
    local p = process.Process(function()
      process.Process(function()
        ending:wait()
        fx.asleep(process.getppid())
        q:put "grandchild done"
      end):start()
      process.Process{ daemon = true, target = function()
        ready:set()
        process.sleep(100)
        q:put "daemon done"
      end }:start()
      ready:wait()
      ending:set()
    end):start()
    p:join()
    report("joined", q:get(false))
    report("left", q:get(false))
    report("exitcode", p.exitcode)
  ]]

  it("waits for those that are no daemons", function()
    assert.equal("grandchild done", out.joined)
  end)
  it("ends its daemons", function()
    assert.equal("nil empty", out.left)
    assert.equal("0", out.exitcode)
  end)
end)

describe("a child that is killed", function()
  local program = [[
    local pids, talk, ready = process.Queue(), process.Queue(), process.Event()
    local p = process.Process(function()
      local guard <close> = setmetatable({}, { __close = function() report("close", "ran") end })
      process.atexit(report, "exit handler", "ran")
      local orphan = process.Process(function()
        local parent = process.parent_process()
        talk:put(parent:is_alive())
        talk:put(table.pack(parent:join(30)))
        talk:put(parent:is_alive())
      end):start()
      local daemon = process.Process{ daemon = true, target = function()
        process.atexit(report, "daemon's handler", "ran")
        ready:set()
        process.sleep(100)
      end }:start()
      ready:wait()
      pids:put(daemon.pid)
      process.sleep(100)
    end):start()
    local daemon = pids:get()
    report("before", talk:get())
    p:%s()
    p:join()
    report("exitcode", p.exitcode)
    report("orphan joins", table.unpack(talk:get()))
    report("after", talk:get())
    report("daemon", eventually(function() return fx.state(daemon) == "gone" end))
  ]]

  for method, code in pairs { terminate = "-15", kill = "-9" } do
    describe("by " .. method, function()
      local out = support.fixture(program:format(method))

      it("has the signal as exit code", function() assert.equal(code, out.exitcode) end)
      it("leaves its children, who notice", function()
        assert.equal("true", out.before)
        assert.equal("true", out["orphan joins"])
        assert.equal("false", out.after)
      end)
      it("takes its daemons along", function() assert.equal("true", out.daemon) end)
      it("does no clean-up, nor do its daemons", function()
        assert.equal(0, support.count(out().stdout, "ran\n"))
      end)
    end)
  end
end)

describe("a process given up in the middle of its start", function()
  local out = support.fixture [[
    local wrong = 0
    for i = 1, 60 do
      local p = process.Process(process.sleep, 100):start()
      local until_ = process.now() + (i % 6) * 0.0002
      while process.now() < until_ do end
      p[i % 2 == 0 and "kill" or "terminate"](p)
      p:join()
      if p.exitcode ~= (i % 2 == 0 and -9 or -15) then wrong = wrong + 1 end
    end
    report("wrong", wrong, #process.active_children())
  ]]

  it("has the exact exit code", function() assert.equal("0 0", out.wrong) end)
end)
