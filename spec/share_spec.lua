-- process.share, and deep copies

local support = require "spec.support"

describe("a shared table", function()
  local out = support.fixture [[
    local dict, share = process.dict, process.share
    local cfg = share{ cfg = { a = { b = 1 }, list = { 1, { x = 2 } } }, name = "n", empty = {} }
    cfg.cfg.a.b = 2
    cfg.cfg.list[2].x = 3
    cfg.cfg.list:append("new")
    report("live", cfg.cfg.a.b, cfg.cfg.list[2].x, #cfg.cfg.list, cfg.name)
    report("kinds", cfg.empty, cfg.cfg.list, share{ 1, 2, [4] = 4 }, share{ 1, nil, 3 }, share{})
    local p = process.Process(function() cfg.cfg.a.b = "child" end):start()
    p:join()
    report("by a child", cfg.cfg.a.b)
    local node, both = { name = "root" }, { 5 }
    node.self, node.children = node, { { parent = node }, both, both }
    local s = share(node)
    report("cycle", s.self == s, s.children[1].parent == s, s.children[2] == s.children[3],
      s.children[1].parent.name)
    s.children[2][1] = 6
    report("one is one", s.children[3][1])
    report("refused", try(share, 5))
    report("refused class", try(share, setmetatable({}, {})))
    report("refused key", try(share, { x = { [{}] = 1 } }))
    local Point = {}
    process.register("Point", Point)
    local object = share{ p = setmetatable({ x = 1 }, Point) }
    report("object", getmetatable(object.p) == Point, object.p.x)
    local lock = process.Lock()
    report("objects", share{ lock = lock }.lock == lock)
    local deep, t = {}, nil
    t = deep
    for i = 1, 300 do t.next = { i } t = t.next end
    local shared, depth = share(deep), 0
    while shared do depth, shared = depth + 1, shared.next end
    report("deep", depth)
    local plain = dict.copy(s, { deep = true })
    report("plain", type(plain), type(plain.children), plain.self == plain,
      plain.children[1].parent == plain, plain.children[2] == plain.children[3],
      plain.children[2][1])
    local elements = process.list{ share{ x = { 1 } }, share{ 2 } }
    local copies = elements:copy{ deep = true }
    report("of a list", type(copies[1]), type(copies[1].x), copies[2][1],
      elements:copy()[2] == elements[2], process.list.copy(elements, { deep = true })[1].x[1])
    report("shallow", dict.copy(s).children == s.children)
    report("list", s.children:copy{ deep = true }[2][1], type(s.children:copy()[2]))
    plain.children[2][1] = 7
    report("a copy", s.children[2][1])
    local mixed = dict{ t = { dict{ x = 1 }, lock } }
    local copy = dict.copy(mixed, { deep = true })
    report("within tables", type(copy.t[1]), copy.t[1].x, copy.t[2] == lock)
  ]]
  it("is live at every level", function()
    assert.equal("2 3 3 n", out.live)
    assert.equal("child", out["by a child"])
  end)
  it("is a list if its keys are 1 to n", function()
    support.mentions(out.kinds, 'dict{} list{1, dict{x = 3}, "new"} dict{',
      "dict{[1] = 1, [3] = 3}")
    assert.equal("dict{}", out.kinds:sub(-6))
  end)
  it("keeps cycles, and what is one table", function()
    assert.equal("true true true root", out.cycle)
    assert.equal("6", out["one is one"])
  end)
  it("is made of plain tables", function()
    support.mentions(out.refused, "share", "plain table expected, got number")
    support.mentions(out["refused class"], "share", "with a metatable")
    support.mentions(out["refused key"], "a key is", "not a table")
  end)
  it("is copied from a list, too", function()
    assert.equal("table table 2 true 1", out["of a list"])
  end)
  it("holds other values as they are", function()
    assert.equal("true 1", out.object)
    assert.equal("true", out.objects)
  end)
  it("may be deep", function() assert.equal("301", out.deep) end)
  it("comes back as plain tables", function()
    assert.equal("table table true true true 6", out.plain)
    assert.equal("true", out.shallow)
    assert.equal("6 userdata", out.list)
    assert.equal("6", out["a copy"])
    assert.equal("table 1 true", out["within tables"])
  end)
end)
