-- process.Namespace: an object with attributes, which are data and only data: a dict whose keys are
-- strings (src/bind/dict.c).

local arguments = require "process.arguments"
local core = require "process.core".dict
local dict = require "process.dict"
local show = require "process.show"

local Namespace <const> = core.Namespace

local function public_attributes(ns, add)
  for name, value in core.pairs(ns) do
    if name:sub(1, 1) ~= "_" and not add(name .. "=", value) then
      return
    end
  end
end

show.class(Namespace, "Namespace(", ")", public_attributes, "'")

local function store(ns, t)
  for name, value in pairs(t) do
    ns[name] = value
  end
end

-- Namespace([t[, {name =}]]): one with the entries of t as attributes. Operations of a dict that
-- make sense here are there under this name, too; but Lua, which looks for the names of functions
-- in the tables of modules, is to find them as the dict's.
local namespace = setmetatable({
  atomic = dict.atomic,
  compare_and_set = dict.compare_and_set,
  copy = dict.copy,
  incr = dict.incr,
  modify = dict.modify,
  update = dict.update,
  wait_change = dict.wait_change,
  wait_for = dict.wait_for,
}, {
  __call = function(_, t, options)
    arguments.check_dot(t, "Namespace")
    local ns = core.new_namespace(t, options)
    if t ~= nil then
      arguments.check_entries(t, 1, "Namespace")
      arguments.fill(t, store, ns, t)
    end
    return ns
  end,
})

return { Namespace = namespace }
