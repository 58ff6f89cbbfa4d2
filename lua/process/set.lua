-- process.set: a dict whose keys are the elements. Methods of one element are in C
-- (src/bind/dict.c), what combines sets is here. The other operand may be a set, a list or a plain
-- list; it is looked at first, as it is at one moment, and then the set is changed, at once.

local arguments = require "process.arguments"
local main = require "process.core"
local show = require "process.show"

local core = main.dict
local Set <const>, Dict <const>, List <const> = core.Set, core.Dict, main.list_class
local changes_of, list = core.changes, core.list

local set = Set.__index

-- Raises, in the name of a method, if s is no set.
local function check_set(s, name)
  if getmetatable(s) ~= Set then
    error(("bad argument #1 to '%s' (set expected, got %s)"):format(name, arguments.kind(s)), 3)
  end
end

-- The elements of v, an argument of the function with this name, as a plain list. Errors are those
-- of the function at this level, by default the caller's caller.
local function elements(v, name, level)
  level = (level or 2) + 1
  local metatable = getmetatable(v)
  if metatable == Set or metatable == Dict then
    return list(v, "keys")
  elseif metatable == List then
    return v:copy()
  elseif type(v) ~= "table" then
    error(("process.set: %s takes sets and lists, not %s"):format(name, arguments.kind(v)), level)
  end
  local n = math.tointeger(v.n) or #v
  for i = 1, n do
    if v[i] == nil then
      error(("process.set: %s: element %d of the list is nil, which a set does not hold")
        :format(name, i), level)
    end
  end
  return v.n and table.move(v, 1, n, 1, {}) or v
end

-- The elements of a plain list as the keys of a table.
local function lookup(plain)
  local found = {}
  for _, x in ipairs(plain) do
    found[x] = true
  end
  return found
end

local function add_all(s, plain)
  for _, x in ipairs(plain) do
    s:add(x)
  end
end

-- What each method does to the set, with the elements of the other operand.
local combine = { union = add_all }

function combine.intersection(s, plain)
  local stays = lookup(plain)
  for x in pairs(s) do
    if not stays[x] then
      s:discard(x)
    end
  end
end

function combine.difference(s, plain)
  for _, x in ipairs(plain) do
    s:discard(x)
  end
end

function combine.symmetric_difference(s, plain)
  for x in next, lookup(plain) do
    if not s:discard(x) then
      s:add(x)
    end
  end
end

-- copy(): another set with the same elements.
function set:copy()
  check_set(self, "copy")
  local copy = core.new_set()
  add_all(copy, list(self, "keys"))
  return copy
end

-- The elements of each argument of the method with this name. A symmetric difference is that of two
-- sets: it has one.
local function operands(name, ...)
  local others = { ... }
  for i = 1, select("#", ...) do
    others[i] = elements((select(i, ...)), name, 3)
  end
  if name:find("symmetric", 1, true) and #others ~= 1 then
    error(("process.set: %s takes one set or list, not %d"):format(name, #others), 3)
  end
  return others
end

-- The method with this name that changes the set, at once, for the elements of each argument.
local function updating(name, change)
  return function(self, ...)
    check_set(self, name)
    local others = operands(name, ...)
    local changes <close> = changes_of(self)
    local alone = changes:begin()
    for _, other in ipairs(others) do
      change(self, other)
    end
    if alone then
      changes:commit()
    end
  end
end

for name, change in pairs(combine) do
  -- union(...), intersection(...), difference(...), symmetric_difference(...): a new set.
  set[name] = function(self, ...)
    check_set(self, name)
    local others = operands(name, ...)
    local result = set.copy(self)
    for _, other in ipairs(others) do
      change(result, other)
    end
    return result
  end

  -- union_update(...) and so on: the same, changing this set.
  set[name .. "_update"] = updating(name .. "_update", change)
end

-- update(...): union_update, by the name that Python has for it.
set.update = updating("update", combine.union)

-- items(): for x in s:items(), in the order of insertion, as the set is now. The iterator needs no
-- state, so that it can be kept, or given to a pool.
function set:items()
  check_set(self, "items")
  local next_element, snapshot, x = core.pairs(self)
  return function()
    x = next_element(snapshot, x)
    return x
  end, nil, nil, snapshot
end

-- issubset(other): whether all its elements are in the other one.
function set:issubset(other)
  check_set(self, "issubset")
  local found = lookup(elements(other, "issubset"))
  for x in pairs(self) do
    if not found[x] then
      return false
    end
  end
  return true
end

-- issuperset(other): whether all elements of the other one are in it.
function set:issuperset(other)
  check_set(self, "issuperset")
  local found = list(self, "copy")
  for _, x in ipairs(elements(other, "issuperset")) do
    if not found[x] then
      return false
    end
  end
  return true
end

-- isdisjoint(other): whether they have no element in common.
function set:isdisjoint(other)
  check_set(self, "isdisjoint")
  local found = list(self, "copy")
  for _, x in ipairs(elements(other, "isdisjoint")) do
    if found[x] then
      return false
    end
  end
  return true
end

-- An operator: the method, of two sets, or of a set and a list on either side.
local function operator(name)
  return function(a, b)
    local result = core.new_set()
    add_all(result, elements(a, name))
    combine[name](result, elements(b, name))
    return result
  end
end

Set.__bor = operator "union"
Set.__band = operator "intersection"
Set.__sub = operator "difference"
Set.__bxor = operator "symmetric_difference"

local function shown_elements(s, add)
  for x in pairs(s) do
    if not add("", x) then
      return
    end
  end
end

show.class(Set, "set{", "}", shown_elements)

-- set([list[, {name =}]]): a set of the elements of a list or a set.
return setmetatable(set, {
  __call = function(_, from, options)
    arguments.check_dot(from, "set")
    local s = core.new_set(from, options)
    if from ~= nil then
      add_all(s, elements(from, "a set"))
    end
    return s
  end,
})
