-- process.dict: `process.dict{...}` makes one, its functions are the operations. Indexing a dict is
-- data and only data. What is written in C is in src/bind/dict*.c.

local arguments = require "process.arguments"
local core = require "process.core".dict
local show = require "process.show"

local Dict <const> = core.Dict
local changes_of, list, new = core.changes, core.list, core.new

local dict = {
  clear = core.clear,
  compare_and_set = core.compare_and_set,
  contains = core.contains,
  get = core.get,
  incr = core.incr,
  pop = core.pop,
  popitem = core.popitem,
  setdefault = core.setdefault,
  wait_change = core.wait_change,
  wait_for = core.wait_for,
}

-- keys(d), values(d), items(d): plain lists, in the order of insertion; items are {key, value}.
function dict.keys(d)
  return list(d, "keys")
end

function dict.values(d)
  return list(d, "values")
end

function dict.items(d)
  return list(d, "items")
end

-- copy(d[, {deep = true}]): a plain table. A deep copy has plain tables for nested dicts and lists,
-- too.
function dict.copy(d, options)
  local nested = require "process.nested" -- which requires this file
  return nested.wants_deep(options) and nested.plain(d) or list(d, "copy")
end

-- Raises in the name of a function if f, its argument, cannot be called.
local function check_callable(f, name, argument)
  if not arguments.is_callable(f) then
    error(("bad argument #%d to '%s' (function expected, got %s)"):format(argument, name, type(f)),
      3)
  end
end

local function finish(changes, ...)
  changes:commit()
  return ...
end

-- atomic(d, f): f(d) alone changes d; what it wrote is seen by others all at once, when it returns,
-- or not at all. Returns what f returns; what f raises is passed on.
function dict.atomic(d, f)
  check_callable(f, "atomic", 2)
  local changes <close> = changes_of(d)
  if not changes:begin() then
    error("process.dict.atomic: called within atomic of the same dict (use the dict as it is)", 2)
  end
  return finish(changes, f(d))
end

-- modify(d, k, f): d[k] = f(d[k]), while nobody else changes d. Returns the new value.
function dict.modify(d, key, f)
  check_callable(f, "modify", 3)
  local changes <close> = changes_of(d)
  local alone = changes:begin()
  local value = f(d[key])
  d[key] = value
  if alone then
    changes:commit()
  end
  return value
end

-- Stores the entries of t, an argument of the function with this name.
local function store(d, t, name)
  local metatable = getmetatable(t)
  if type(t) ~= "table" and not (type(t) == "userdata" and metatable.__pairs) then
    error("bad argument #" .. (name and "2 to '" .. name or "1 to 'dict") .. "' (table or dict " ..
      "expected, got " .. type(t) .. ")", 3)
  end
  for key, value in pairs(t) do
    d[key] = value
  end
end

-- update(d, t): stores all entries of t, a table or a dict, at once.
function dict.update(d, t)
  local changes <close> = changes_of(d)
  local alone = changes:begin()
  store(d, t, "update")
  if alone then
    changes:commit()
  end
end

-- `a | b` is a plain table; b's values win.
function Dict.__bor(a, b)
  local both = {}
  for _, t in ipairs { a, b } do
    for key, value in pairs(t) do
      both[key] = value
    end
  end
  return both
end

show.class(Dict, "dict{", "}", show.entries(core.pairs))

-- dict([t[, {name =}]]): a dict with the entries of t, a table or a dict.
return setmetatable(dict, {
  __call = function(_, t, options)
    local d = new(options)
    if t ~= nil then
      store(d, t)
    end
    return d
  end,
})
