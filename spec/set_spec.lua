-- process.set

local support = require "spec.support"

-- What the programs have at hand: the elements of a set, sorted, as text.
local SORTED = [[
  local function sorted(s)
    local list = {}
    for x in s:items() do list[#list + 1] = tostring(x) end
    table.sort(list)
    return table.concat(list, " ")
  end
]]

local function fixture(source)
  return support.fixture(SORTED:gsub("\n%s*", " ") .. source)
end

describe("a set", function()
  local out = fixture [[
    local set = process.set
    local s = set{ "a", "b", "a", 1, 1.0, true }
    report("made", #s, s, sorted(s))
    report("from", sorted(set(set{ 1, 2 })), sorted(set(process.dict.keys(process.dict{ k = 1 }))),
      sorted(set(process.dict{ key = 1 })), #set())
    report("refused", try(set, 5))
    report("options", #set({ 1 }, { name = "seen" }), try(set, {}, { x = 1 }))
    report("add", select("#", s:add("c")), s:contains("c"), s:contains("d"), s:contains(nil), #s)
    report("remove", s:remove("c"), s:remove("c"), s:discard("b"), s:discard("b"), #s)
    report("element", try(s.add, s, nil))
    report("element table", try(s.add, s, {}))
    s:clear()
    report("clear", #s, s:pop())
    s:update({ 1, 2 }, set{ 2, 3 })
    report("update", sorted(s))
    report("pop", s:pop(), select("#", s:pop()), #s)
    local copy = s:copy()
    copy:add("more")
    report("copy", #copy, #s, getmetatable(copy) == getmetatable(s))
    report("no field", s.nothing, try(function() s.x = 1 end))
    local n = 0
    for x in set{ 1, 2, 3 }:items() do n = n + x end
    report("items", n)
    local next_one, rest = set{ "x", false }:items(), {}
    for x in next_one do rest[#rest + 1] = tostring(x) end
    report("kept iterator", table.concat(rest, " "), next_one())
  ]]
  it("has each element once", function()
    assert.equal('4 set{"a", "b", 1, true} 1 a b true', out.made)
  end)
  it("is made of lists, sets and keys", function()
    assert.equal("1 2 k key 0", out.from)
    support.mentions(out.refused, "set", "number")
    support.mentions(out.options, "1", "unknown option 'x'")
  end)
  it("add and contains", function() assert.equal("0 true false false 5", out.add) end)
  it("remove and discard say what they did", function()
    assert.equal("true false true false 3", out.remove)
  end)
  it("refuses what can be no element", function()
    support.mentions(out.element, "not nil")
    support.mentions(out["element table"], "not a table")
  end)
  it("clear, pop, update, copy", function()
    assert.equal("0 nil empty", out.clear)
    assert.equal("1 2 3", out.update)
    assert.equal("3 1 1", out.pop)
    assert.equal("2 1 true", out.copy)
  end)
  it("has no fields of the script's", function() support.mentions(out["no field"], "nil ") end)
  it("is iterated over", function()
    assert.equal("6", out.items)
    assert.equal("x false nil", out["kept iterator"])
  end)
end)

describe("sets combined", function()
  local out = fixture [[
    local set = process.set
    local a, b = set{ 1, 2, 3 }, set{ 3, 4 }
    report("union", sorted(a:union(b)), sorted(a:union({ 9 }, b)), sorted(a))
    report("intersection", sorted(a:intersection(b)), sorted(a:intersection({ 1, 2, 7 }, { 2 })))
    report("difference", sorted(a:difference(b)), sorted(a:difference({ 1 }, { 2 })))
    report("symmetric", sorted(a:symmetric_difference(b)),
      sorted(a:symmetric_difference({ 3, 4, 4 })))
    report("operators", sorted(a | b), sorted(a & b), sorted(a - b), sorted(a ~ b))
    report("with lists", sorted({ 7 } | a), sorted({ 1, 7 } - a), sorted(a & { 2, 7 }))
    report("refused", try(function() return a | 5 end))
    report("refused too", try(a.union, a, "text"))
    a:intersection_update({ 2, 3 })
    report("intersection_update", sorted(a))
    a:difference_update(b)
    report("difference_update", sorted(a))
    a:symmetric_difference_update({ 2, 5 })
    report("symmetric_difference_update", sorted(a))
    a:update(a)
    a:union_update(b)
    report("union_update", sorted(a))
    report("subset", set{ 1 }:issubset({ 1, 2 }), set{ 1, 3 }:issubset({ 1, 2 }),
      set{}:issubset(a), a:issuperset({ 4 }), a:issuperset({ 4, 99 }))
    report("disjoint", a:isdisjoint({ 100 }), a:isdisjoint(b))
  ]]
  it("union", function() assert.equal("1 2 3 4 1 2 3 4 9 1 2 3", out.union) end)
  it("intersection", function() assert.equal("3 2", out.intersection) end)
  it("difference", function() assert.equal("1 2 3", out.difference) end)
  it("symmetric_difference", function() assert.equal("1 2 4 1 2 4", out.symmetric) end)
  it("by operators", function()
    assert.equal("1 2 3 4 3 1 2 1 2 4", out.operators)
    assert.equal("1 2 3 7 7 2", out["with lists"])
  end)
  it("refuse what is no set or list", function()
    support.mentions(out.refused, "union", "number")
    support.mentions(out["refused too"], "union", "string")
  end)
  it("in place", function()
    assert.equal("2 3", out.intersection_update)
    assert.equal("2", out.difference_update)
    assert.equal("5", out.symmetric_difference_update)
    assert.equal("3 4 5", out.union_update)
  end)
  it("compared", function()
    assert.equal("true false true true false", out.subset)
    assert.equal("true false", out.disjoint)
  end)
end)

describe("a set in several processes", function()
  local out = fixture [[
    local seen, twice = process.set(), process.dict()
    local workers = {}
    for w = 1, 4 do
      workers[w] = process.Process(function()
        for i = 1, 500 do seen:add(i % 100) end
        while seen:pop() do process.dict.incr(twice, "popped") end
      end):start()
    end
    for _, p in ipairs(workers) do p:join() end
    report("popped", #seen, twice.popped >= 100)
    local p = process.Process(function() report("woken", seen:wait_change("x", 30)) end):start()
    fx.waiting(p.pid)
    seen:add("x")
    p:join()
  ]]
  it("is shared", function() assert.equal("0 true", out.popped) end)
  it("can be waited for", function() assert.equal("true", out.woken) end)
end)
