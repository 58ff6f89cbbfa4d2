-- process.dict: `process.dict{...}` makes one, its functions are the operations. Indexing a dict is
-- data and only data. What is written in C is in src/bind/dict*.c.

local arguments = require "process.arguments"
local core = require "process.core".dict
local show = require "process.show"

local Dict <const> = core.Dict
local changes_of, list, new = core.changes, core.list, core.new
local check_callable, has_entries = arguments.check_callable, arguments.has_entries

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
  if arguments.deep(options) then
    return require "process.nested".plain(d)
  end
  return list(d, "copy")
end

local function finish(changes, ...)
  changes:commit()
  return ...
end

-- atomic(d, f): f(d) alone changes d; what it wrote is seen by others all at once, when it returns,
-- or not at all. Returns what f returns; what f raises is passed on.
function dict.atomic(d, f)
  check_callable(f, 2, "atomic")
  local changes <close> = changes_of(d)
  if not changes:begin() then
    error("process.dict.atomic: called within atomic of the same dict, or within modify; " ..
      "use the dict as it is", 2)
  end
  return finish(changes, f(d))
end

-- modify(d, k, f): d[k] = f(d[k]), while nobody else changes d. Returns the new value.
function dict.modify(d, key, f)
  check_callable(f, 3, "modify")
  local changes <close> = changes_of(d)
  local alone = changes:begin()
  local value = f(d[key])
  d[key] = value
  if alone then
    changes:commit()
  end
  return value
end

local function store(d, t)
  for key, value in pairs(t) do
    d[key] = value
  end
end

-- update(d, t): stores all entries of t, a table or a dict, at once.
function dict.update(d, t)
  arguments.check_entries(t, 2, "update")
  local changes <close> = changes_of(d)
  local alone = changes:begin()
  arguments.fill(t, store, d, t)
  if alone then
    changes:commit()
  end
end

-- `a | b` is a plain table; b's values win.
function Dict.__bor(a, b)
  local both = {}
  if not (has_entries(a) and has_entries(b)) then
    error(("a %s and a %s cannot be joined (a dict and a table can)"):format(arguments.kind(a),
      arguments.kind(b)), 2)
  end
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
    arguments.check_dot(t, "dict")
    local d = new(t, options)
    if t ~= nil then
      arguments.check_entries(t, 1, "dict")
      arguments.fill(t, store, d, t)
    end
    return d
  end,
})
