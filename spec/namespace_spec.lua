-- process.Namespace

local support = require "spec.support"

describe("a Namespace", function()
  local out = support.fixture [[
    local Namespace = process.Namespace
    local ns = Namespace()
    ns.name = "Bob"
    ns.job = "Builder"
    ns._hidden = "hidden"
    report("shown", ns)
    ns.job = nil
    report("deleted", ns, ns.job, ns._hidden)
    report("made", Namespace{ x = 1, s = "it's" })
    report("names", try(function() ns[1] = 2 end))
    report("names read", try(function() return ns[1] end))
    report("names added to", try(Namespace.incr, ns, 1))
    report("given", try(Namespace, { 5 }))
    ns.wait_change = 1
    ns.incr = 2
    report("data only", ns.wait_change, ns.incr)
    local names = {}
    for name in pairs(ns) do names[#names + 1] = name end
    report("pairs", table.concat(names, " "))
    local p = process.Process(function()
      report("read by the child", ns.name, ns.incr)
      report("woken", Namespace.wait_change(ns, "x", 30))
      ns.y = { 10 }
    end):start()
    fx.waiting(p.pid)
    ns.x = 1
    p:join()
    report("of the child", ns.y[1], p.exitcode)
    report("operations", Namespace.incr(ns, "x", 4), Namespace.atomic(ns, function(n)
      n.x = n.x + 1
      return n.x
    end), Namespace.copy(ns).name)
  ]]
  it("is shown as Python does, without what is hidden", function()
    assert.equal("Namespace(name='Bob', job='Builder')", out.shown)
    assert.equal("Namespace(name='Bob') nil hidden", out.deleted)
    support.mentions(out.made, "Namespace(", "x=1", [[s='it\'s']])
  end)
  it("has names that are strings", function()
    support.mentions(out.names, "Namespace", "string")
    support.mentions(out["names read"], "Namespace", "string")
    support.mentions(out["names added to"], "Namespace", "string")
    support.mentions(out.given, "Namespace", "string")
  end)
  it("has attributes only", function()
    assert.equal("1 2", out["data only"])
    assert.equal("name _hidden wait_change incr", out.pairs)
  end)
  it("is shared", function()
    assert.equal("Bob 2", out["read by the child"])
    assert.equal("true", out.woken)
    assert.equal("10 0", out["of the child"])
  end)
  it("has the operations of a dict beside it", function()
    assert.equal("5 6 Bob", out.operations)
  end)
end)
