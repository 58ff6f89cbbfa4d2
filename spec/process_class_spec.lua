-- Subclasses of Process.

local support = require "spec.support"

describe("a subclass", function()
  local out = support.fixture [[
    local Counter = process.Process:extend("Counter")
    function Counter:init(first, last)
      self.first, self.last = first, last
      report("base ready", type(self.name), self.daemon, self.pid)
    end
    function Counter:run()
      report(self.name, process.getpid() == self.pid, self == process.current_process())
      for i = self.first, self.last do report("count" .. i, self:double(i)) end
    end
    function Counter:double(i) return 2 * i end
    local p = Counter(2, 3)
    report("name", p.name)
    report("repr", (tostring(p):gsub("parent=%d+", "parent=N")))
    report("start", p:start() == p)
    p:join()
    report("end", p.exitcode, p.first, p.last)
    local other = Counter(1, 0)
    other.daemon, other.name, other.extra = true, "renamed", "kept"
    other:start():join()
    report("fields", other.extra, other.exitcode, other.daemon)
  ]]

  it("is named after itself", function() assert.equal("Counter-1", out.name) end)
  it("has the base ready before init runs", function()
    assert.equal("string false nil", out["base ready"])
  end)
  it("runs its run in the child, as the child's own process object", function()
    assert.equal("true true", out["Counter-1"])
    assert.equal("true true", out.renamed)
    assert.equal("4 6", out.count2 .. " " .. out.count3)
  end)
  it("returns itself from start, keeps its fields and gets its exit code", function()
    assert.equal("true", out.start)
    assert.equal("0 2 3", out["end"])
  end)
  it("shows its class's name", function()
    assert.equal("<Counter name='Counter-1' parent=N initial>", out.repr)
  end)
  it("has the base's attributes and fields of its own", function()
    assert.equal("kept 0 true", out.fields)
  end)
end)

describe("a subclass without init", function()
  local out = support.fixture [[
    local Plain = process.Process:extend("Plain")
    local p = Plain{ name = "given", daemon = true, target = report, args = { "target", 7 } }
    report("fields", p.name, p.daemon)
    p:start():join()
    report("unknown key", try(Plain, { nmae = "x" }))
    local Runs = process.Process:extend("Runs")
    function Runs:run() report("run", self.name) end
    Runs():start():join()
  ]]

  it("takes the base's table", function()
    assert.equal("given true", out.fields)
    assert.equal("7", out.target)
  end)
  it("refuses an unknown key as the base does", function()
    support.mentions(out["unknown key"], "nmae", "name")
  end)
  it("can be made without arguments", function() assert.matches("^Runs%-%d+$", out.run) end)
end)

describe("init", function()
  local out = support.fixture [[
    local My = process.Process:extend("My")
    function My:init(loop, name)
      process.Process.init(self, { name = name, daemon = true })
      self.loop = loop
    end
    function My:run() report("run", self.loop, self.name, self.daemon) end
    My(3, "chosen"):start():join()
    local Bare = process.Process:extend("Bare")
    function Bare:init(loop)
      process.Process.init(self, {})
      self.loop = loop
    end
    function Bare:run() report("bare", self.loop) end
    local b = Bare(4)
    report("bare name", b.name)
    b:start():join()
  ]]

  it("may call the base's", function() assert.equal("3 chosen true", out.run) end)
  it("may call the base's with nothing to change", function()
    assert.equal("4", out.bare)
    assert.matches("^Bare%-%d+$", out["bare name"])
  end)
end)

describe("a subclass of a subclass", function()
  local out = support.fixture [[
    local Base = process.Process:extend("Base")
    function Base:init(x) self.x = x end
    function Base:run() report("base run", self.x) end
    function Base:shout() return "base" end
    local Derived = Base:extend("Derived")
    function Derived:init(x, y)
      Base.init(self, x)
      self.y = y
    end
    function Derived:run()
      Base.run(self)
      report("derived run", self.x, self.y, self:shout())
    end
    local d = Derived(1, 2)
    report("name", d.name)
    d:start():join()
    report("exitcode", d.exitcode)
    local Quiet = Base:extend("Quiet")
    Quiet(9):start():join()
  ]]

  it("is named after itself", function() assert.matches("^Derived%-%d+$", out.name) end)
  it("calls its base's methods", function()
    assert.equal("1 2 base", out["derived run"])
    assert.equal("0", out.exitcode)
  end)
  it("inherits what it does not define", function() assert.equal("9", out["base run"]) end)
end)

describe("a subclass's metamethods", function()
  local out = support.fixture [[
    local Job = process.Process:extend("Job")
    local early, plain = Job(), process.Process()
    function Job:init(n) self.n = n end
    function Job:__tostring() return "job " .. tostring(self.n) .. " " .. self.name end
    function Job:__call(x) return self.n + x end
    function Job.__lt(a, b) return a.n < b.n end
    function Job:__len() return self.n end
    local Sub = Job:extend("Sub")
    local a, b, c = Job(1), Job(2), Sub(3)
    report("shown", early, a, c)
    report("others", a(10), a < b, #b, c(10), b < c)
    report("sort", a > b, try(function() return plain < plain end))
    function Sub:__tostring() return "sub of " .. Job.__tostring(self) end
    report("of a sub", c, b, (process.Process.__tostring(c):gsub("parent=%d+", "parent=N")))
    function Job:__tostring() return "another " .. self.n end
    report("replaced", a, c)
    report("base", (tostring(plain):gsub("parent=%d+", "parent=N")))
    report("sent", process.loads(process.dumps(a)))
    function Job.__index() return 5 end
    report("kept", a.name, a.nothing)
    function Job:run() report("in the child", self) end
    a:start():join()
  ]]

  it("are those of its objects, made before or after", function()
    assert.equal("job nil Job-1 job 1 Job-3 job 3 Sub-5", out.shown)
    assert.equal("11 true 2 13 true", out.others)
    support.mentions(out.sort, "false ", "attempt to compare")
  end)
  it("may call those of the base, and may be replaced", function()
    assert.equal("sub of job 3 Sub-5 job 2 Job-4 <Sub name='Sub-5' parent=N initial>",
      out["of a sub"])
    assert.equal("another 1 sub of another 3", out.replaced)
    assert.equal("<Process name='Process-2' parent=N initial>", out.base)
  end)
  it("go with the object", function()
    assert.equal("another 1", out.sent)
    assert.equal("another 1", out["in the child"])
  end)
  it("do not take the attributes away", function() assert.equal("Job-3 nil", out.kept) end)
end)

describe("a process object used from both sides", function()
  local out = support.fixture [[
    local Upper = process.Process:extend("Upper")
    function Upper:init() self.requests, self.answers = process.Queue(), process.Queue() end
    function Upper:run()
      for text in self.requests:items() do self.answers:put(text:upper()) end
    end
    function Upper:submit(text)
      self.requests:put(text)
      return self.answers:get()
    end
    function Upper:stop() self.requests:shutdown() end
    local u = Upper():start()
    report("answers", u:submit("hello"), u:submit("again"))
    u:stop()
    report("joined", u:join(), u.exitcode)
  ]]

  it("shares what is shared", function() assert.equal("HELLO AGAIN", out.answers) end)
  it("ends when told", function() assert.equal("true 0", out.joined) end)
end)
