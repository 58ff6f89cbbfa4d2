-- process.list: a table of the methods of lists that is called to make one. The methods that see or
-- change single elements, and the constructor, are written in C (src/bind/list.c); here are those
-- that are made of them.
--
-- Who reads an element, runs Lua and writes holds the list's gate meanwhile: nobody else changes
-- the list then.

local arguments = require "process.arguments"
local core = require "process.core"
local show = require "process.show"

local gate, items = core.list_gate, core.list_items
local assign, writes = core.list_assign, core.list_writes
local list, class = core.list_methods, core.list_class
local get, slice, pop = class.__index, list.slice, list.pop

-- Raises, in the name of a method, if l is no list.
local function check_list(l, name)
  if getmetatable(l) ~= class then
    error(("bad argument #1 to '%s' (list expected, got %s)"):format(name, arguments.kind(l)), 3)
  end
end

-- The same, or if there is no sense in comparing v with elements.
local function check_search(l, v, name)
  if getmetatable(l) ~= class then
    error(("bad argument #1 to '%s' (list expected, got %s)"):format(name, arguments.kind(l)), 3)
  elseif type(v) == "table" or type(v) == "function" then
    error(("%s: a %s is never equal to the copy that a list holds"):format(name, type(v)), 3)
  end
end

-- Raises, in the name of `index`, if that argument is there and is no integer.
local function check_place(i, argument)
  if i ~= nil and not math.tointeger(i) then
    error(("bad argument #%d to 'index' (integer expected, got %s)"):format(argument,
      type(i) == "number" and tostring(i) or arguments.kind(i)), 3)
  end
end

-- l:index(v[, i[, j]]): the index of the first element that is equal to v, among those from i to j
-- as in string.sub; nil.
function list.index(l, v, i, j)
  check_search(l, v, "index")
  check_place(i, 2)
  check_place(j, 3)
  for at, element in items(l, i, j) do
    if element == v then
      return at
    end
  end
  return nil
end

-- l:count(v): how many elements are equal to v.
function list.count(l, v)
  check_search(l, v, "count")
  local n = 0
  for _, element in items(l) do
    if element == v then
      n = n + 1
    end
  end
  return n
end

-- l:remove(v): takes the first element out that is equal to v. Whether there was one.
function list.remove(l, v)
  check_search(l, v, "remove")
  local held <close> = gate(l)
  held:take()
  local at = list.index(l, v)
  if at then
    pop(l, at)
  end
  return at ~= nil
end

-- l:modify(i, f): l[i] = f(l[i]) while nobody else changes the list; the new value.
function list.modify(l, i, f)
  check_list(l, "modify")
  arguments.check_callable(f, 2, "modify")
  local held <close> = gate(l)
  held:take()
  local at = math.tointeger(i)
  if at and at < 0 then
    at = #l + 1 + at
  end
  local old
  if at and at >= 1 then
    old = get(l, at)
  end
  if old == nil then
    error(("modify: there is no element %s (the list has %d)"):format(tostring(i), #l), 2)
  end
  local new = f(old)
  if new == nil then
    error("modify: the function returned nil, which a list does not hold", 2)
  elseif at > #l then
    error(("modify: the function has removed element %d"):format(at), 2)
  end
  l[at] = new
  return new
end

-- l:sort([before]): as table.sort. If `before` raises, the list stays as it was.
function list.sort(l, before)
  check_list(l, "sort")
  if before ~= nil then
    arguments.check_callable(before, 1, "sort")
  end
  local held <close> = gate(l)
  held:take()
  local sorted, n = slice(l), writes(l)
  core.call(table.sort, sorted, before)
  if writes(l) ~= n then
    error("sort: the function that compares has changed the list", 2)
  end
  assign(l, sorted)
end

-- l:reverse()
function list.reverse(l)
  check_list(l, "reverse")
  local held <close> = gate(l)
  held:take()
  local t = slice(l)
  local n = #t
  for i = 1, n // 2 do
    t[i], t[n + 1 - i] = t[n + 1 - i], t[i]
  end
  assign(l, t)
end

-- l:copy([{deep = true}]): a plain table of the elements. A deep copy has plain tables for nested
-- dicts and lists, too.
function list.copy(l, options)
  check_list(l, "copy")
  if arguments.deep(options) then
    return require "process.nested".plain(l)
  end
  return slice(l)
end

-- Puts the elements of a list or table behind those of a table.
local function add_to(sum, part)
  if getmetatable(part) == class then
    part = slice(part)
  elseif type(part) ~= "table" then
    error(("a list and a %s cannot be added (a list and a table can)"):format(type(part)), 3)
  end
  return table.move(part, 1, #part, #sum + 1, sum)
end

-- a + b: a plain table of the elements of two lists, or of a list and a table.
function class.__add(a, b)
  local sum = add_to({}, a)
  add_to(sum, b)
  return sum
end

show.class(class, "list{", "}", show.elements(items))

setmetatable(list, {
  __call = function(_, t, options)
    arguments.check_dot(t, "list")
    return (arguments.fill(t, core.list, t, options))
  end,
})

-- In a table: where Lua looks for the names of functions they are there once, as process.list's.
return { list = list }
