-- One process from its making to its close: state, attributes, join, and who may do what when.

local support = require "spec.support"

describe("a process that was not started", function()
  local out = support.fixture [[
    local p = process.Process{ target = function() report("ran") end }
    report("state", p.pid, p.ident, p.exitcode, p:is_alive(), p.daemon)
    report("listed", #process.active_children())
    report("authkey", p.authkey == process.current_process().authkey)
    for _, method in ipairs{ "join", "terminate", "kill", "interrupt" } do
      report(method, try(p[method], p))
    end
    report("sentinel", try(function() return p.sentinel end))
    report("repr", fx.shown(p))
    p:close()
    report("closed", try(p.start, p))
    process.Process{ target = function() report("ran") end }
  ]]

  it("has no pid and no exit code, is not alive and no daemon", function()
    assert.equal("nil nil nil false false", out.state)
  end)
  it("is not among the active children", function() assert.equal("0", out.listed) end)
  it("has its parent's authkey", function() assert.equal("true", out.authkey) end)
  it("cannot be joined", function()
    support.mentions(out.join, "can only join a started process")
  end)
  for _, method in ipairs { "terminate", "kill", "interrupt" } do
    it("cannot be sent the signal of " .. method, function()
      support.mentions(out[method], method, "start")
    end)
  end
  it("has no sentinel", function() support.mentions(out.sentinel, "sentinel", "start") end)
  it("shows as initial", function()
    assert.equal("<Process name='Process-1' parent=ME initial>", out.repr)
  end)
  it("cannot be started once closed", function() support.mentions(out.closed, "closed") end)
  it("never runs its target", function() assert.equal(0, support.count(out().stdout, "ran")) end)
end)

describe("a running process", function()
  local out = support.fixture [[
    local ready, go = process.Event(), process.Event()
    local p = process.Process{ name = "worker", target = function() ready:set(); go:wait() end }
    local started = table.pack(p:start())
    report("start", started.n, started[1] == p)
    ready:wait()
    report("state", math.type(p.pid), p.pid > 0, p.pid == p.ident, p.exitcode, p:is_alive())
    local first, second = process.active_children(), process.active_children()
    report("listed", #first, first[1] == p, first ~= second)
    local seconds = fx.timed(p.join, p, 0.05)
    report("waited", seconds >= 0.05)
    report("timeout", p:join(0.05))
    report("zero", p:join(0))
    report("negative", p:join(-1))
    report("twice", try(p.start, p))
    report("daemon", try(function() p.daemon = true end), p.daemon)
    report("close", try(p.close, p), p:is_alive())
    report("repr", fx.shown(p, p.pid))
    go:set()
    report("join", p:join())
  ]]

  it("is what start returned", function() assert.equal("1 true", out.start) end)
  it("has a pid, which is also its ident, and no exit code", function()
    assert.equal("integer true true nil true", out.state)
  end)
  it("is listed, in a fresh list each time", function() assert.equal("1 true true", out.listed) end)
  it("is waited for by join no longer than the timeout", function()
    assert.equal("true", out.waited)
    assert.equal("nil timeout", out.timeout)
  end)
  it("is not waited for with a timeout of 0 or less", function()
    assert.equal("nil timeout", out.zero)
    assert.equal("nil timeout", out.negative)
  end)
  it("cannot be started again", function()
    support.mentions(out.twice, "cannot start a process twice")
  end)
  it("cannot be made a daemon any more", function()
    support.mentions(out.daemon, "process has already started", "false")
  end)
  it("cannot be closed, and lives on", function() support.mentions(out.close, "close", "true") end)
  it("shows as started", function()
    assert.equal("<Process name='worker' pid=PID parent=ME started>", out.repr)
  end)
  it("is joined when it has ended", function() assert.equal("true", out.join) end)
end)

describe("a process that has ended", function()
  local out = support.fixture [[
    local p = process.Process{ name = "worker", target = function() end }:start()
    local pid = p.pid
    report("join", p:join())
    report("state", p.pid == pid, p.exitcode, p:is_alive(), #process.active_children())
    report("again", p:join(), p:join(0), p:join(1))
    for _, method in ipairs{ "terminate", "kill", "interrupt" } do report(method, p[method](p)) end
    report("exitcode", p.exitcode)
    report("start", try(p.start, p))
    report("repr", fx.shown(p, pid))
    local killed = process.Process{ name = "R", target = process.sleep, args = { 100 } }:start()
    killed:kill()
    killed:join()
    report("killed", (tostring(killed):gsub("%d+ ", "N ")))
  ]]

  it("is joined at once, as often as one likes", function()
    assert.equal("true", out.join)
    assert.equal("true true true", out.again)
  end)
  it("keeps its pid, has an exit code, is dead and not listed", function()
    assert.equal("true 0 false 0", out.state)
  end)
  it("ignores signals", function()
    assert.equal("", out.terminate .. out.kill .. out.interrupt)
    assert.equal("0", out.exitcode)
  end)
  it("cannot be started again", function()
    support.mentions(out.start, "cannot start a process twice")
  end)
  it("shows as stopped, with its exit code or its signal's name", function()
    assert.equal("<Process name='worker' pid=PID parent=ME stopped exitcode=0>", out.repr)
    assert.equal("<Process name='R' pid=N parent=N stopped exitcode=-SIGKILL>", out.killed)
  end)
end)

describe("a process that has ended and was not joined", function()
  local out = support.fixture [[
    local function ended()
      local p = process.Process(function() end):start()
      fx.zombie(p.pid)
      return p
    end
    local p = ended()
    report("is_alive", p:is_alive(), fx.state(p.pid))
    p = ended()
    report("exitcode", p.exitcode, fx.state(p.pid))
    p = ended()
    report("listed", #process.active_children(), fx.state(p.pid))
    p = ended()
    report("join", p:join(0), fx.state(p.pid))
  ]]

  it("stays a zombie and is reaped by a look at it", function()
    assert.equal("false gone", out.is_alive)
    assert.equal("0 gone", out.exitcode)
    assert.equal("true gone", out.join)
  end)
  it("is reaped by active_children, which does not list it", function()
    assert.equal("0 gone", out.listed)
  end)
end)

describe("a closed process", function()
  local methods = { "is_alive", "join", "terminate", "kill", "interrupt", "start", "run" }
  local out = support.fixture [[
    local p = process.Process{ name = "worker", daemon = true, target = function() end }:start()
    p:join()
    report("close", p:close())
    for method in ("is_alive join terminate kill interrupt start run"):gmatch "[%a_]+" do
      report(method, try(p[method], p))
    end
    for _, field in ipairs{ "pid", "ident", "exitcode", "authkey", "sentinel" } do
      report(field, try(function() return p[field] end))
    end
    report("kept", p.name, p.daemon)
    report("again", p:close())
    report("repr", (tostring(p):gsub("parent=%d+", "parent=N")))
    report("listed", #process.active_children())
    local fresh = process.Process{ target = print }
    fresh:close()
    report("fresh", try(fresh.is_alive, fresh))
  ]]

  for _, method in ipairs(methods) do
    it("refuses " .. method, function() support.mentions(out[method], "closed") end)
  end
  for _, field in ipairs { "pid", "ident", "exitcode", "authkey", "sentinel" } do
    it("has no " .. field, function() support.mentions(out[field], "closed") end)
  end
  it("keeps its name and says whether it was a daemon", function()
    assert.equal("worker true", out.kept)
  end)
  it("can be closed again", function()
    assert.equal("", out.close)
    assert.equal("", out.again)
  end)
  it("shows as closed and is not listed", function()
    assert.matches("^<Process name='worker' parent=N closed", out.repr)
    assert.equal("0", out.listed)
  end)
  it("need not have been started", function() support.mentions(out.fresh, "closed") end)
end)

describe("run called directly", function()
  local out = support.fixture [[
    local calls, pid = 0, nil
    local p = process.Process(function(a, b) calls, pid = calls + a + b, process.getpid() end, 1, 2)
    p:run()
    p:run()
    report("calls", calls, pid == process.getpid())
    report("state", p.pid, p:is_alive(), #process.active_children())
    report("join", try(p.join, p))
    p:start()
    p:join()
    report("after", calls, p.exitcode)
    report("error", try(function() process.Process(error, "as it is", 0):run() end))
  ]]

  it("runs the target in the caller, as often as one likes", function()
    assert.equal("6 true", out.calls)
  end)
  it("starts nothing", function() assert.equal("nil false 0", out.state) end)
  it("does not make the process joinable", function()
    support.mentions(out.join, "can only join a started process")
  end)
  it("leaves it to be started", function() assert.equal("6 0", out.after) end)
  it("passes the target's error on", function() assert.equal("as it is", out.error) end)
end)

describe("a process seen from another than its parent", function()
  local out = support.fixture [[
    local go = process.Event()
    local sibling = process.Process(function() go:wait() end):start()
    local unstarted = process.Process(function() report("ran", process.getpid()) end)
    process.Process(function()
      report("join", try(sibling.join, sibling))
      report("is_alive", try(sibling.is_alive, sibling))
      report("start", try(unstarted.start, unstarted))
      report("listed", #process.active_children())
    end):start():join()
    go:set()
    sibling:join()
    report("sibling", sibling.exitcode)
  ]]

  it("cannot be joined", function() support.mentions(out.join, "can only join a child process") end)
  it("cannot be asked whether it lives", function()
    support.mentions(out.is_alive, "child process")
  end)
  it("cannot be started", function()
    assert.are_not.equal("no error", out.start)
    assert.equal(0, support.count(out().stdout, "ran\t"))
  end)
  it("is not one of the other's children", function() assert.equal("0", out.listed) end)
  it("comes to no harm", function() assert.equal("0", out.sibling) end)
end)

describe("signals sent by the parent", function()
  local out = support.fixture [[
    for _, method in ipairs{ "terminate", "kill", "interrupt" } do
      local ready = process.Event()
      local p = process.Process(function() ready:set(); process.sleep(100) end):start()
      ready:wait()
      report(method .. " says", p[method](p))
      report(method, p:join(), p.exitcode, p:is_alive())
    end
    local handled = process.Event()
    local p = process.Process(function()
      handled:set()
      local ok, message = pcall(process.sleep, 100)
      report("handled", ok, tostring(message):find("interrupted", 1, true) ~= nil)
      process.sleep(0)
    end):start()
    handled:wait()
    fx.asleep(p.pid)
    p:interrupt()
    p:join()
    report("went on", p.exitcode)
  ]]

  it("say nothing", function()
    assert.equal("", out["terminate says"] .. out["kill says"] .. out["interrupt says"])
  end)
  it("terminate: exit code -15", function() assert.equal("true -15 false", out.terminate) end)
  it("kill: exit code -9", function() assert.equal("true -9 false", out.kill) end)
  it("interrupt: an error nobody handled, exit code 1", function()
    assert.equal("true 1 false", out.interrupt)
  end)
  it("interrupt: an error that the child may handle", function()
    assert.equal("false true", out.handled)
    assert.equal("0", out["went on"])
  end)
end)

describe("interrupt of a child that has the default action again", function()
  local out = support.fixture [[
    local signal = require "posix.signal"
    local ready = process.Event()
    local p = process.Process(function()
      signal.signal(signal.SIGINT, signal.SIG_DFL)
      ready:set()
      process.sleep(100)
    end):start()
    ready:wait()
    p:interrupt()
    p:join()
    report("exitcode", p.exitcode)
  ]]

  it("ends it by the signal itself", function() assert.equal("-2", out.exitcode) end)
end)

describe("the sentinel", function()
  local out = support.fixture [[
    local rpoll = require "posix.poll".rpoll
    local go = process.Event()
    local p = process.Process(function() go:wait() end):start()
    local fd = p.sentinel
    report("kind", math.type(fd), fd == p.sentinel)
    report("alive", rpoll(fd, 50))
    go:set()
    report("ended", rpoll(fd, 30000))
    p:join()
    report("joined", rpoll(fd, 0), fd == p.sentinel)
  ]]

  it("is one file descriptor for the process's life", function()
    assert.equal("integer true", out.kind)
  end)
  it("is not readable while the process lives", function() assert.equal("0", out.alive) end)
  it("is readable once it has ended, and stays so after the join", function()
    assert.equal("1", out.ended)
    assert.equal("1 true", out.joined)
  end)
  it("may be asked for first when the process has ended", function()
    local late = support.fixture [[
      local p = process.Process(function() end):start()
      p:join()
      report("joined", require "posix.poll".rpoll(p.sentinel, 0))
    ]]
    assert.equal("1", late.joined)
  end)
end)

describe("the descriptors of children", function()
  local out = support.fixture [[
    local counts, go = process.Queue(), process.Event()
    local ps = {}
    for i = 1, 6 do
      ps[i] = process.Process(function() counts:put(fx.descriptors()); go:wait() end):start()
      local _ = ps[i].sentinel
    end
    local seen = {}
    for i = 1, #ps do seen[i] = counts:get() end
    go:set()
    for _, p in ipairs(ps) do p:join() end
    table.sort(seen)
    report("spread", seen[#seen] - seen[1])
  ]]

  it("do not pile up in later siblings", function() assert.equal("0", out.spread) end)
end)
