-- What can be called, and with what: arguments given by name.

local core = require "process.core"

local arguments = {}

-- is_callable(v): a function, or a value with __call.
function arguments.is_callable(v)
  local mt = getmetatable(v)
  return type(v) == "function" or (type(mt) == "table" and mt.__call ~= nil)
end

local function parameter_list(names, vararg)
  local list = table.concat(names, ", ")
  return "(" .. list .. (vararg and (#names > 0 and ", ..." or "...") or "") .. ")"
end

-- bind(target, args, kwargs): puts kwargs among the positional arguments, by the names of the
-- target's parameters. Returns the arguments as table.pack does.
function arguments.bind(target, args, kwargs)
  local bound = table.pack(table.unpack(args, 1, args.n or #args))
  if next(kwargs) == nil then
    return bound
  end
  local f, skip = target, 0
  if type(target) ~= "function" then
    f, skip = getmetatable(target).__call, 1
  end
  local names, vararg
  if type(f) == "function" then
    names, vararg = core.parameters(f)
  end
  if not names then
    error("kwargs: the parameters of a C function have no names; pass them in args", 3)
  end
  for _ = 1, skip do
    table.remove(names, 1)
  end
  local rest = {}
  for k, v in pairs(kwargs) do
    rest[k] = v
  end
  for i, name in ipairs(names) do
    if rest[name] ~= nil then
      if i <= bound.n then
        error("kwargs: parameter '" .. name .. "' is given twice, in args too; " ..
          "the parameters are " .. parameter_list(names, vararg), 3)
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
        parameter_list(names, vararg), 3)
    end
    bound.n = bound.n + 1
    bound[bound.n] = rest
  end
  return bound
end

return arguments
