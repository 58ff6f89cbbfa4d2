-- What can be called, and with what: arguments given by name.

local core = require "process.core"

local arguments = {}

-- is_callable(v): a function, or a value with __call.
function arguments.is_callable(v)
  local mt = getmetatable(v)
  return type(v) == "function" or (type(mt) == "table" and mt.__call ~= nil)
end

-- kind(v): what an error calls a value: its class, or its type.
function arguments.kind(v)
  local mt = getmetatable(v)
  local name = type(mt) == "table" and rawget(mt, "__name")
  return type(name) == "string" and name or type(v)
end

-- The metatable of the module. Called with a colon, a function of it gets the module as its first
-- argument, which errors then call so.
arguments.MODULE = {
  __name = "the module itself; use a dot",
  __tostring = function() return "module 'process'" end,
}

-- check_dot(v, name): raises, for the caller of the module's function with this name, if its first
-- argument v is the module.
function arguments.check_dot(v, name)
  if getmetatable(v) == arguments.MODULE then
    error(("bad argument #1 to '%s' (%s)"):format(name, arguments.kind(v)), 3)
  end
end

-- check_callable(f, argument, name): raises, for the caller of the function with this name,
-- if that argument of it cannot be called.
function arguments.check_callable(f, argument, name)
  if not arguments.is_callable(f) then
    error(("bad argument #%d to '%s' (function expected, got %s)"):format(argument, name,
      arguments.kind(f)), 3)
  end
end

-- has_entries(t): whether it is a table, a dict, or another shared container.
function arguments.has_entries(t)
  local mt = getmetatable(t)
  return type(t) == "table" or type(t) == "userdata" and type(mt) == "table" and mt.__pairs ~= nil
end

-- check_entries(t, argument, name): raises, for the caller of the function with this name, if that
-- argument of it has none.
function arguments.check_entries(t, argument, name)
  if not arguments.has_entries(t) then
    error(("bad argument #%d to '%s' (table or dict expected, got %s)"):format(argument, name,
      arguments.kind(t)), 3)
  end
end

-- deep(options): whether the options of a copy ask for a deep one. Raises for the caller of `copy`.
function arguments.deep(options)
  if options == nil then
    return false
  elseif type(options) ~= "table" then
    error(("bad argument #2 to 'copy' (table expected, got %s)")
      :format(arguments.kind(options)), 3)
  end
  for name in next, options do
    if name ~= "deep" then
      error(("bad argument #2 to 'copy' (unknown option '%s')"):format(tostring(name)), 3)
    end
  end
  return options.deep and true or false
end

-- fill(from, store, ...): store(...), which puts what is in `from` into a container: its result. If
-- something in a table cannot be sent, the error names its path from the table on.
function arguments.fill(from, store, ...)
  local ok, result = pcall(store, ...)
  if not ok then
    if type(from) == "table" then
      core.dumps(from) -- raises that
    end
    error(result, 0)
  end
  return result
end

local function parameter_list(names, vararg)
  local list = table.concat(names, ", ")
  return "(" .. list .. (vararg and (#names > 0 and ", ..." or "...") or "") .. ")"
end

-- The names of the parameters that a caller of the target gives, and whether `...` follows; nil for
-- a C function.
local function parameters_of(target)
  if type(target) == "function" then
    return core.parameters(target)
  end
  local f = getmetatable(target).__call
  if type(f) ~= "function" then
    return nil
  end
  local names, vararg = core.parameters(f)
  if names then
    table.remove(names, 1) -- the target itself
  end
  return names, vararg
end

-- bind(target, args, kwargs[, level]): puts kwargs among the positional arguments, by the names of
-- the target's parameters. Returns the arguments as table.pack does. Raises at `level`, as error
-- has it; 3 without it.
function arguments.bind(target, args, kwargs, level)
  level = level or 3
  local bound = table.pack(table.unpack(args, 1, args.n or #args))
  if next(kwargs) == nil then
    return bound
  end
  local names, vararg = parameters_of(target)
  if not names then
    error("kwargs: the parameters of a C function have no names; pass them in args", level)
  end
  local rest = {}
  for k, v in pairs(kwargs) do
    rest[k] = v
  end
  for i, name in ipairs(names) do
    if rest[name] ~= nil then
      if i <= bound.n then
        error("kwargs: parameter '" .. name .. "' is given twice, in args too; " ..
          "the parameters are " .. parameter_list(names, vararg), level)
      end
      bound[i] = rest[name]
      rest[name] = nil
    end
  end
  bound.n = math.max(bound.n, #names)
  local unknown = next(rest)
  if unknown ~= nil then
    if not vararg then
      error("kwargs: no parameter is called '" .. tostring(unknown) .. "'; the parameters are " ..
        parameter_list(names, vararg), level)
    end
    bound.n = bound.n + 1
    bound[bound.n] = rest
  end
  return bound
end

return arguments
