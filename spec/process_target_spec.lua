-- What a process is given: target, args, kwargs, name, authkey; and what the child sees of it.

local support = require "spec.support"

describe("a child", function()
  local out = support.fixture [[
    local me = process.getpid()
    local seen = process.Queue()
    local p = process.Process{
      name = "the child",
      target = function(...)
        local self = process.current_process()
        seen:put{
          args = table.pack(...), name = self.name, pid = process.getpid(), own = self.pid,
          ident = self.ident, key = self.authkey, alive = self:is_alive(), exitcode = self.exitcode,
          daemon = self.daemon, ppid = process.getppid(), listed = #process.active_children(),
        }
      end,
      args = { 1, "two", 3.0, n = 5 },
    }:start()
    local s = seen:get()
    p:join()
    report("args", s.args.n, math.type(s.args[1]), s.args[2], s.args[3], s.args[4], s.args[5])
    report("name", s.name)
    report("pid", s.pid == p.pid, s.own == p.pid, s.ident == p.pid, s.ppid == me)
    report("authkey", s.key == process.current_process().authkey)
    report("state", s.alive, s.exitcode, s.daemon, s.listed)
    local other = process.Process{ name = "first", target = function()
      report("rename", process.current_process().name)
      report("stat", io.open("/proc/self/stat"):read("n") == process.getpid())
      report("repr", (tostring(process.current_process()):gsub("parent=" .. me, "parent=MAIN")))
      report("same", process.current_process() == process.current_process())
    end }
    other.name = "second"
    other:start():join()
  ]]

  it("gets exactly its arguments, nils and kinds of number kept", function()
    assert.equal("5 integer two 3.0 nil nil", out.args)
  end)
  it("knows its name", function() assert.equal("the child", out.name) end)
  it("has the pid that its parent sees, and its parent's as parent", function()
    assert.equal("true true true true", out.pid)
    assert.equal("true", out.stat)
  end)
  it("has its parent's authkey", function() assert.equal("true", out.authkey) end)
  it("is alive, without exit code, no daemon, without children", function()
    assert.equal("true nil false 0", out.state)
  end)
  it("has the name given before the start", function() assert.equal("second", out.rename) end)
  it("is one object to itself", function() assert.equal("true", out.same) end)
  it("shows itself as started", function()
    assert.matches("^<Process name='second' .*parent=MAIN started>$", out.repr)
  end)
end)

describe("the main process", function()
  local out = support.fixture [[
    local self = process.current_process()
    report("state", self.name, self:is_alive(), self.daemon, self.exitcode)
    report("pid", self.pid == process.getpid(), self.ident == process.getpid())
    report("authkey", type(self.authkey), #self.authkey)
    report("parent", process.parent_process())
    report("same", self == process.current_process())
    report("key", (self.authkey:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
    self.authkey = "secret"
    local p = process.Process(function() report("inherited", process.current_process().authkey) end)
    p:start():join()
    local q = process.Process(function() report("own", process.current_process().authkey) end)
    q.authkey = "other"
    q:start():join()
    report("unchanged", process.current_process().authkey)
  ]]
  local again = support.fixture [[
    local key = process.current_process().authkey
    report("key", (key:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
  ]]

  it("is MainProcess, alive, no daemon, without exit code", function()
    assert.equal("MainProcess true false nil", out.state)
  end)
  it("has the pid of the program", function() assert.equal("true true", out.pid) end)
  it("has no parent process", function() assert.equal("nil", out.parent) end)
  it("is one object", function() assert.equal("true", out.same) end)
  it("has an authkey of 32 bytes, another in each run", function()
    assert.equal("string 32", out.authkey)
    assert.are_not.equal(out.key, again.key)
  end)
  it("hands on an authkey set by the program", function() assert.equal("secret", out.inherited) end)
  it("lets a child have an authkey of its own", function()
    assert.equal("other", out.own)
    assert.equal("secret", out.unchanged)
  end)
end)

describe("the short form", function()
  local out = support.fixture [[
    local function target(...) report("args", select("#", ...), ...) end
    local p = process.Process(target, "a", nil, "c", nil)
    report("name", p.name)
    p:start():join()
    local callable = setmetatable({}, { __call = function(_, a) report("callable", a) end })
    process.Process(callable, "x"):start():join()
    process.Process{ target = callable, args = { "y" } }:start():join()
    for _, p in ipairs{ process.Process{}, process.Process() } do
      p:start():join()
      report("none", p.exitcode)
    end
    process.Process(report, "c function", print == print):start():join()
    process.Process(print, "printed"):start():join()
  ]]

  it("passes the arguments on, nils kept", function() assert.equal("4 a nil c nil", out.args) end)
  it("gives the default name", function() assert.equal("Process-1", out.name) end)
  it("takes anything that can be called", function()
    assert.equal("y", out.callable)
    assert.equal(1, support.count(out().stdout, "printed\n"))
  end)
  it("runs nothing without a target", function() assert.equal("0", out.none) end)
end)

describe("default names", function()
  local out = support.fixture [[
    local a, b = process.Process(print), process.Process(print)
    report("first", a.name, b.name)
    local p = process.Process(function()
      local c = process.Process(function()
        report("third", process.current_process().name)
        local d = process.Process(print)
        report("fourth", d.name)
      end)
      report("second", process.current_process().name, c.name)
      c:start():join()
    end)
    p:start():join()
  ]]

  it("count from 1", function() assert.equal("Process-1 Process-2", out.first) end)
  it("of a child's child carry the child's number", function()
    assert.equal("Process-3 Process-3:1", out.second)
    assert.equal("Process-3:1", out.third)
    assert.equal("Process-3:1:1", out.fourth)
  end)
end)

describe("kwargs", function()
  local out = support.fixture [[
    local function run(options)
      local p = process.Process(options)
      local message = try(p.start, p)
      if message == "no error" then p:join() end
      return message, p.pid and "started" or "not started"
    end
    local function person(name, age) report("person", name, age) end
    report("ok", run{ target = person, args = { "wang" }, kwargs = { age = 10 } })
    run{ name = "p1", kwargs = { name = "egon", age = 18 }, target = function(name, age)
      report("both", name, age, process.current_process().name)
    end }
    run{ target = function(a, b, c) report("gap", a, b, c) end, args = { 1 }, kwargs = { c = 3 } }
    run{ target = function(a, b) report("false", a, b) end, kwargs = { b = false } }
    run{ target = function(name, ...)
      local rest = ...
      report("rest", name, select("#", ...), rest.x, rest.y, rest.name)
    end, kwargs = { name = "n", x = 1, y = 2 } }
    run{ target = function(a, b, ...)
      local rest = ...
      report("args first", a, b, select("#", ...), rest.k)
    end, args = { 1, 2 }, kwargs = { k = 3 } }
    run{ target = function(a, ...)
      local more, rest = ...
      report("args among the rest", a, more, select("#", ...), rest.k)
    end, args = { 1, 2 }, kwargs = { k = 3 } }
    local function count(a, ...) report("no rest", a, select("#", ...)) end
    run{ target = count, args = { 1, 2 } }
    local function none(a, ...) report("bound rest", a, select("#", ...)) end
    run{ target = none, kwargs = { a = 1 } }
    report("unknown", run{ target = person, args = { "wang" }, kwargs = { agee = 10 } })
    report("no name", run{ target = person, kwargs = { "wang" } })
    report("twice", run{ target = person, args = { "wang" }, kwargs = { name = "wu" } })
    report("c function", run{ target = print, kwargs = { x = 1 } })
    report("empty", run{ target = print, args = { "fine" }, kwargs = {} })
    report("listed", #process.active_children())
  ]]

  it("are bound to parameters by name", function()
    assert.equal("no error started", out.ok)
    assert.equal("wang 10", out.person)
    assert.equal("1 nil 3", out.gap)
    assert.equal("nil false", out["false"])
  end)
  it("have nothing to do with the process's name", function()
    assert.equal("egon 18 p1", out.both)
  end)
  it("that a vararg function does not name come as one last table", function()
    assert.equal("n 1 1 2 nil", out.rest)
    assert.equal("1 2 1 3", out["args first"])
    assert.equal("1 2 2 3", out["args among the rest"])
  end)
  it("add no table where none is left over", function()
    assert.equal("1 1", out["no rest"])
    assert.equal("1 0", out["bound rest"])
  end)
  it("with an unknown name are an error at start that lists the parameters", function()
    support.mentions(out.unknown, "agee", "name", "age", "not started")
    support.mentions(out["no name"], "1", "name", "age", "not started")
  end)
  it("that give a parameter twice are an error at start", function()
    support.mentions(out.twice, "name", "age", "not started")
  end)
  it("for a C function are an error at start, unless empty", function()
    support.mentions(out["c function"], "kwargs", "C function", "not started")
    assert.equal("no error started", out.empty)
  end)
  it("that fail start nothing", function() assert.equal("0", out.listed) end)
end)

describe("a child's variables", function()
  local out = support.fixture [[
    local n, list = 1, {}
    shared_name = "jon"
    local go = process.Event()
    local p = process.Process(function()
      go:wait()
      n, shared_name = n + 1, shared_name .. "!"
      list[#list + 1] = "x"
      report("child", n, shared_name, #list)
    end):start()
    n, shared_name = 10, "later"
    go:set()
    p:join()
    report("main", n, shared_name, #list)
    local calls = 0
    package.preload.counted = function() calls = calls + 1; return { state = "loaded" } end
    local module = require "counted"
    module.state = "used"
    process.Process(function() report("module", require("counted").state, calls) end):start():join()
  ]]

  it("are its own copy of the parent's at the start", function()
    assert.equal("2 jon! 1", out.child)
    assert.equal("10 later 0", out.main)
  end)
  it("include the modules loaded, with their state, loaded once", function()
    assert.equal("used 1", out.module)
  end)
end)

describe("the random numbers of children", function()
  local out = support.fixture [[
    math.randomseed(42)
    local q = process.Queue()
    local ps = {}
    for i = 1, 8 do
      ps[i] = process.Process(function() q:put(math.random(0)) end):start()
    end
    local seen, distinct = { [math.random(0)] = true }, 1
    for _ = 1, #ps do
      local x = q:get()
      if not seen[x] then distinct = distinct + 1 end
      seen[x] = true
    end
    for _, p in ipairs(ps) do p:join() end
    report("distinct", distinct)
    local function seeded() math.randomseed(7); return math.random(0) end
    process.Process(function() q:put(seeded()) end):start():join()
    report("seeded", q:get() == seeded())
    local pid = process.fork()
    if pid == 0 then q:put(math.random(0)); os.exit(0) end
    report("raw", q:get() ~= math.random(0))
  ]]

  it("differ from their siblings' and their parent's", function()
    assert.equal("9", out.distinct)
    assert.equal("true", out.raw)
  end)
  it("follow a seed that the child sets", function() assert.equal("true", out.seeded) end)
end)

describe("target and arguments", function()
  local out = support.fixture [[
    local q = process.Queue()
    local weak = setmetatable({}, { __mode = "v" })
    local function make()
      local argument = { 5 }
      local function target(a) q:put(a[1]) end
      weak.target, weak.argument = target, argument
      return process.Process{ target = target, args = { argument } }
    end
    local p = make():start()
    report("called", q:get())
    p:join()
    collectgarbage()
    collectgarbage()
    report("kept", weak.target, weak.argument, p.exitcode)
  ]]

  it("reach the child and are not kept alive by the parent's object", function()
    assert.equal("5", out.called)
    assert.equal("nil nil 0", out.kept)
  end)
end)

describe("the constructor", function()
  local out = support.fixture [[
    local P = process.Process
    report("unknown", try(P, { traget = print }))
    report("positional", try(P, { print }))
    report("target", try(P, { target = 5 }))
    report("short", try(P, 5))
    report("missing", try(P, nil), try(P, nil, print, "name"), try(P))
    report("args", try(P, { target = print, args = 5 }))
    report("kwargs", try(P, { target = print, kwargs = "x" }))
    report("name", try(P, { target = print, name = 5 }))
    report("daemon", try(P, { target = print, daemon = "yes" }))
    report("daemons", P{ daemon = true }.daemon, P{ daemon = false }.daemon, P{}.daemon)
    report("listed", #process.active_children())
  ]]

  it("refuses an unknown key and lists the known ones", function()
    support.mentions(out.unknown, "traget", "target", "args", "kwargs", "name", "daemon")
    support.mentions(out.positional, "1", "target")
  end)
  it("refuses a function that is nil, but not to be called with nothing", function()
    assert.equal(2, support.count(out.missing, "function or table expected, got nil"))
    assert.matches("no error$", out.missing)
  end)
  it("refuses a target that cannot be called", function()
    support.mentions(out.target, "Process", "target", "function", "number")
    support.mentions(out.short, "Process", "function", "number")
  end)
  it("refuses args and kwargs that are no tables", function()
    support.mentions(out.args, "Process", "args", "table", "number")
    support.mentions(out.kwargs, "Process", "kwargs", "table", "string")
  end)
  it("refuses a name that is no string", function()
    support.mentions(out.name, "Process", "name", "string")
  end)
  it("refuses a daemon that is no boolean", function()
    support.mentions(out.daemon, "Process", "daemon", "boolean")
  end)
  it("takes daemon as given, and as the maker's by default", function()
    assert.equal("true false false", out.daemons)
  end)
end)
