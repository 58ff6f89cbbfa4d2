-- What the methods of a pool take: options by name, functions, inputs. Faults are raised where the
-- script has called the method: the levels count on being called from process.pool as they are.

local arguments = require "process.arguments"

local is_callable = arguments.is_callable

local NO_OPTIONS <const> = {} -- never changed

--------------------------------------------------------------------------------
-- Options

local function is_count(v)
  return math.type(v) == "integer" and v >= 1
end

local function is_seconds(v)
  return type(v) == "number" and v > 0
end

local function is_natural(v)
  return math.type(v) == "integer" and v >= 0
end

local function is_progress(v)
  return type(v) == "boolean" or type(v) == "string" or is_callable(v)
end

-- What an option must be: a test and the words for it.
local COUNT <const> = { is_count, "an integer of 1 or more" }
local FUNCTION <const> = { is_callable, "a function" }
local TABLE <const> = { function(v) return type(v) == "table" end, "a table" }
local OPTIONS <const> = {
  processes = COUNT, maxtasksperchild = COUNT, initializer = FUNCTION, initargs = TABLE,
  chunksize = COUNT, buffer = COUNT, callback = FUNCTION, error_callback = FUNCTION,
  timeout = { is_seconds, "a number of seconds above 0" },
  retries = { is_natural, "an integer of 0 or more" },
  progress = { is_progress, "true, a label or a function" },
  errors = { function(v) return v == "yield" or v == "raise" end, '"yield" or "raise"' },
}

local function set(...)
  local names = table.pack(...)
  for _, name in ipairs(names) do
    names[name] = true
  end
  return names
end

local KNOWN <const> = {
  Pool = set("processes", "initializer", "initargs", "maxtasksperchild"),
  apply_async = set("callback", "error_callback", "timeout", "retries"),
  map = set("chunksize", "progress", "timeout", "retries", "callback", "error_callback"),
  imap = set("chunksize", "progress", "timeout", "retries", "buffer", "errors"),
}
KNOWN.map_async, KNOWN.starmap, KNOWN.starmap_async = KNOWN.map, KNOWN.map, KNOWN.map
KNOWN.imap_unordered = KNOWN.imap

-- What is wrong with the options given to `method`; nil if nothing is.
local function fault_of(options, method)
  local known = KNOWN[method]
  for name, value in pairs(options) do
    if not known[name] or not OPTIONS[name] then -- `known` is a list, too
      return ("unknown option '%s' for '%s' (known: %s)"):format(tostring(name), method,
        table.concat(known, ", "))
    end
    local fits, expected = table.unpack(OPTIONS[name])
    if not fits(value) then
      return ("bad option '%s' for '%s' (%s expected, got %s)"):format(name, method, expected,
        type(value) == "number" and tostring(value) or type(value))
    end
  end
  return nil
end

-- The options as a table; a number alone stands for `short`. Faults are raised at `level`.
local function check_options(options, method, short, level)
  if options == nil then
    return NO_OPTIONS
  elseif type(options) == "number" and short then
    options = { [short] = options }
  elseif type(options) ~= "table" then
    error(("bad options for '%s' (%stable expected, got %s)"):format(method,
      short and short .. " or " or "", type(options)), level + 1)
  end
  local fault = fault_of(options, method)
  if fault then
    error(fault, level + 1)
  end
  return options
end

--------------------------------------------------------------------------------
-- Functions and inputs

-- The function for what can be called and is none.
local function function_of(f, method)
  if not is_callable(f) then
    error(("bad argument #1 to '%s' (function expected, got %s)"):format(method, type(f)), 4)
  end
  return function(...) return f(...) end
end

local function check_arguments(method, args, kwargs)
  if args ~= nil and type(args) ~= "table" then
    error(("bad argument #2 to '%s' (list of arguments expected, got %s)"):format(method,
      type(args)), 3)
  elseif kwargs ~= nil and type(kwargs) ~= "table" then
    error(("bad argument #3 to '%s' (table of named arguments expected, got %s)"):format(method,
      type(kwargs)), 3)
  end
end

-- The shared objects that have their items at 1, 2, 3 …
local LISTS <const> = { list = true, Array = true }

-- The input as a list and its length; or, of what must be called for each item, the function.
local function input_of(xs, method)
  local kind = arguments.kind(xs)
  if is_callable(xs) then
    return xs, nil
  elseif type(xs) == "table" then
    local n = math.type(xs.n) == "integer" and xs.n or #xs
    if n >= 0 then
      return xs, n
    end
    kind = "one with n = " .. n
  elseif type(xs) == "userdata" and LISTS[kind] then
    return table.move(xs, 1, #xs, 1, {}), #xs
  end
  error(("bad argument #2 to '%s' (list or iterator expected, got %s)"):format(method, kind), 4)
end

-- All of an iterator's items.
local function read_all(input)
  local list, n = {}, 0
  for item in input do
    n = n + 1
    list[n] = item
  end
  return list, n
end

return {
  NO_OPTIONS = NO_OPTIONS,
  check_arguments = check_arguments,
  check_options = check_options,
  function_of = function_of,
  input_of = input_of,
  read_all = read_all,
}
