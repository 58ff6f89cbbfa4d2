-- The Process class, its subclasses, and who is who among the processes of a program.

local arguments = require "process.arguments"
local attributes = require "process.attributes"
local core = require "process.core"
local exit = require "process.exit"

local CLASS, STATE = attributes.CLASS, attributes.STATE
local exitcode, state_of = attributes.exitcode, attributes.state_of
local is_own_child, is_process, is_started =
  attributes.is_own_child, attributes.is_process, attributes.is_started
local declare, instance_metatable = attributes.declare, attributes.instance_metatable
local is_callable = arguments.is_callable

local SIGINT, SIGKILL, SIGTERM = 2, 9, 15

local NO_ARGS = {} -- never changed

local FIELDS = { target = "function", args = "table", kwargs = "table", name = "string",
  daemon = "boolean" }

-- The Process object of this process; made anew when the pid has changed (a raw fork).
local current, current_pid

-- Children that the process with this pid has started and that, as far as it knows, have not ended.
local children, children_pid = {}, core.getpid()
local NO_CHILDREN = {} -- never changed

local Process

-- Classes made so far by extend.
local classes = 0

-- What random numbers of this program begin with; a child adds its identity: no two are alike.
local SEED = string.unpack("=i8", core.random(8))

local function reseed()
  math.randomseed(SEED, (core.identity()))
end

--------------------------------------------------------------------------------
-- Who is who

-- An object for a process that was not made by `start`: the main program, or a raw fork's child.
local function make_current()
  local _, parent = core.identity()
  local inherited = current and current[STATE]
  local self = setmetatable({}, Process.instance)
  self[STATE] = {
    name = core.name(), parent_ident = parent,
    daemon = inherited and inherited.daemon or false,
    authkey = inherited and inherited.authkey or core.random(32),
    path = inherited and inherited.path, made = inherited and inherited.made or 0,
    started = true, is_self = true, parent_name = inherited and inherited.name,
    parent_pid = current_pid,
  }
  return self
end

-- current_process(): the object of this process.
local function current_process()
  if current_pid ~= core.getpid() then
    current = make_current()
    current_pid = core.getpid()
  end
  return current
end

-- Reaps the children that have ended and takes them out of the list; a fork begins a new one.
local function reap()
  if children_pid ~= current_pid then
    children, children_pid = {}, current_pid
  end
  core.reap()
  for i = #children, 1, -1 do
    local st = children[i][STATE]
    if st.closed or not is_started(st) or st.child:exitcode() ~= nil then
      table.remove(children, i)
    end
  end
end

-- active_children(): a list of the children that live; those that have ended are reaped.
local function active_children()
  current_process()
  reap()
  return table.move(children, 1, #children, 1, {})
end

--------------------------------------------------------------------------------
-- The process that started this one

local Parent = {}

local function check_timeout(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then
    error("bad argument #1 to 'join' (number of seconds expected, got " .. type(timeout) .. ")", 3)
  elseif timeout ~= timeout then
    error("bad argument #1 to 'join' (a timeout is a number of seconds, not NaN)", 3)
  end
end

local function parent_tostring(self)
  return ("<Process name='%s' pid=%d parent>"):format(self.name, self.pid)
end

local parent_mt = { __index = Parent, __name = "Process", __tostring = parent_tostring }

function Parent:is_alive()
  return core.member(self[STATE]) ~= nil
end

function Parent:join(timeout)
  check_timeout(timeout)
  return core.join(self[STATE], timeout)
end

-- parent_process(): the process that started or forked this one: name, pid, ident, is_alive and
-- join; nil in the main program.
local function parent_process()
  local st = current_process()[STATE]
  local ident = st.parent_ident
  if ident == 0 then
    return nil
  end
  if not st.parent then
    local name, pid = core.member(ident)
    pid = pid or st.parent_pid
    st.parent = setmetatable({ [STATE] = ident, name = name or st.parent_name, pid = pid,
      ident = pid }, parent_mt)
  end
  return st.parent
end

--------------------------------------------------------------------------------
-- The class

-- What every new object has before `init` runs.
local function new_state(class)
  local parent = current_process()[STATE]
  parent.made = (parent.made or 0) + 1
  local path = (parent.path and parent.path .. ":" or "") .. parent.made
  -- The fields that come later are named here, too: the table has its final size at once.
  return {
    name = class.class_name .. "-" .. path, path = path, daemon = parent.daemon,
    authkey = parent.authkey, args = NO_ARGS, parent_pid = core.getpid(), target = nil,
    kwargs = nil, started = nil, child = nil, exitcode = nil, closed = nil,
    is_self = nil, made = nil, parent_ident = nil, parent_name = nil,
  }
end

-- The class and its objects can be sent to processes that have it, too: those that were forked
-- after it was made. What is registered goes by name, the class itself no less than a metatable.
local function register_class(class, name)
  core.register(name, class)
  core.register(name .. " (object)", class.instance)
end

local function construct(class, ...)
  local self = setmetatable({ [STATE] = new_state(class) }, class.instance)
  class.init(self, ...)
  return self
end

-- __newindex of a class: its metamethods are those of its objects.
local function define(class, key, value)
  rawset(class, key, value)
  declare(class, key, value)
end

Process = setmetatable({ class_name = "Process" }, { __call = construct, __newindex = define })
Process.instance = instance_metatable(Process)
Process.__tostring = attributes.describe
register_class(Process, "process.Process")

-- What is wrong with the fields of a constructor's table; nil if nothing is.
local function fault_of(spec)
  for key, value in pairs(spec) do
    local expected = FIELDS[key]
    if not expected then
      return "unknown field '" .. tostring(key) ..
        "' for 'Process' (known: target, args, kwargs, name, daemon)"
    elseif expected == "function" and not is_callable(value) or
      expected ~= "function" and type(value) ~= expected then
      return ("bad field '%s' for 'Process' (%s expected, got %s)"):format(key, expected,
        type(value))
    end
  end
  return nil
end

local function init_from_table(self, spec)
  local st = self[STATE]
  local name, daemon = spec.name, spec.daemon
  st.args = spec.args or st.args
  st.kwargs = spec.kwargs
  st.target = spec.target
  if name ~= nil then
    st.name = name
  end
  if daemon ~= nil then
    st.daemon = daemon
  end
end

-- Process{target=, args=, kwargs=, name=, daemon=} or Process(f, ...). All fields may be missing. A
-- nil is a function that is not there, but from a subclass's init it is a table that was not given.
function Process:init(...)
  state_of(self, "init", true)
  local spec, given, fault = (...), select("#", ...), nil
  local direct = getmetatable(self)[CLASS].init == Process.init
  if getmetatable(spec) == arguments.MODULE then
    fault = "bad argument #1 to 'Process' (" .. arguments.kind(spec) .. ")"
  elseif is_callable(spec) then
    self[STATE].target, self[STATE].args = spec, table.pack(select(2, ...))
  elseif type(spec) == "table" then
    fault = given > 1 and
      "bad argument #2 to 'Process' (no such argument: a table is the only one)"
      or fault_of(spec)
    if not fault then
      init_from_table(self, spec)
    end
  elseif spec ~= nil or given > (direct and 0 or 1) then
    fault = "bad argument #1 to 'Process' (function or table expected, got " .. type(spec) .. ")"
  end
  if fault then
    error(fault, direct and 3 or 2) -- `direct`: called by `construct`, whose caller is wrong
  end
end

-- Process:extend(name): a subclass. Its `init` gets what the class is called with; without one of
-- its own it takes what its base takes.
function Process.extend(base, name)
  if type(base) ~= "table" or rawget(base, "class_name") == nil then
    error("bad argument #1 to 'extend' (class expected; call it with a colon)", 2)
  elseif type(name) ~= "string" then
    error("bad argument #1 to 'extend' (string expected, got " .. type(name) .. ")", 2)
  end
  local class = setmetatable({ class_name = name },
    { __index = base, __call = construct, __newindex = define })
  class.instance = instance_metatable(class)
  -- A metamethod that the base gets later is not this class's.
  for key, value in pairs(base.instance) do
    declare(class, key, value)
  end
  classes = classes + 1
  register_class(class, ("%s (class %d)"):format(name, classes))
  return class
end

-- p:run(): what the child executes: the target with its arguments. Called directly it runs here.
function Process:run()
  local st = state_of(self, "run")
  if st.target == nil then
    return
  end
  local args = st.kwargs and arguments.bind(st.target, st.args, st.kwargs) or st.args
  st.target(table.unpack(args, 1, args.n or #args))
end

-- In the child: takes the new identity and runs. Errors are reported by the caller. It writes to as
-- little as possible: each page that it writes to first is a page fault.
local function child_main(self)
  local st = self[STATE]
  local pid, ident, parent = core.getpid(), core.identity()
  exit.begin_child()
  st.is_self, st.started = true, true
  st.parent_ident, st.parent_name = parent, current[STATE].name
  current, current_pid = self, pid
  children, children_pid = NO_CHILDREN, 0
  core.close_unreached(self)
  math.randomseed(SEED, ident)
  self:run()
end

-- p:start(): starts the process; returns p.
function Process:start()
  local st = state_of(self, "start")
  local here = current_process()[STATE]
  if is_started(st) then
    error("cannot start a process twice", 2)
  elseif st.parent_pid ~= core.getpid() then
    error("can only start a process object created by the current process", 2)
  elseif here.daemon and not getmetatable(current)[CLASS].may_have_children then
    error("daemonic processes are not allowed to have children", 2)
  end
  local target, args, kwargs = st.target, st.args, st.kwargs
  if target ~= nil and kwargs then
    arguments.bind(target, args, kwargs)
  end
  reap()
  -- An error may be raised anywhere here, for want of memory or by an interrupt: see is_started.
  local child = core.child()
  children[#children + 1] = self
  st.child = child
  local ok, message = core.start(child, child_main, exit.finish, st.name, st.daemon, self)
  if not ok then
    children[#children], st.child = nil, nil
    error("cannot start a process: " .. message, 2)
  end
  -- What only the child needs.
  st.started, st.target, st.args, st.kwargs = true, nil, NO_ARGS, nil
  return self
end

-- Raises in the name of the method's caller if the process is not a child of this one, and started.
local function check_child(st, method)
  if not is_started(st) then
    error("can only " .. method .. " a started process", 3)
  elseif not is_own_child(st) then
    error("can only " .. method .. " a child process", 3)
  end
end

-- p:join([timeout]): waits for the end of the process. true; nil, "timeout".
function Process:join(timeout)
  local st = state_of(self, "join")
  check_child(st, "join")
  check_timeout(timeout)
  return st.child:join(timeout)
end

-- p:is_alive(): whether it runs.
function Process:is_alive()
  local st = state_of(self, "is_alive")
  if st.is_self then
    return true
  elseif not is_started(st) then
    return false
  end
  check_child(st, "test")
  return exitcode(st) == nil
end

-- p:terminate() p:kill() p:interrupt(): sends SIGTERM, SIGKILL, SIGINT; nothing after the end.
for method, signal in pairs{ terminate = SIGTERM, kill = SIGKILL, interrupt = SIGINT } do
  Process[method] = function(self)
    local st = state_of(self, method)
    check_child(st, method)
    st.child:signal(signal)
  end
end

-- p:close(): releases what belongs to a process that has ended.
function Process:close()
  local st = state_of(self, "close", true)
  if st.closed then
    return
  end
  if st.is_self or (is_own_child(st) and exitcode(st) == nil) then
    error("cannot close a process while it is still running; join it or terminate it first", 2)
  end
  local child = st.child
  st.closed = true -- first: nobody asks a handle that is closed, should an interrupt come between
  st.child, st.target, st.args, st.kwargs = nil, nil, {}, nil
  if child then
    child:close()
  end
end

-- waitable(object): what core.wait takes in its place: itself; for a child its handle, for the
-- parent its identity, as a string. For what cannot be waited for nil and why.
local function waitable(object)
  if math.type(object) == "integer" or type(object) == "userdata" then
    return object
  elseif type(object) == "table" and getmetatable(object) == parent_mt then
    return tostring(object[STATE])
  elseif is_process(object) then
    local st = rawget(object, STATE)
    if st.closed then
      return nil, "is closed"
    elseif not is_started(st) then
      return nil, "is not started"
    elseif not is_own_child(st) then
      return nil, "is not a child of this process"
    end
    return st.child
  end
  return nil, "is none of: process, connection, queue, event, result, descriptor"
end

current_process()

return {
  Process = Process,
  active_children = active_children,
  current_process = current_process,
  parent_process = parent_process,
  reseed = reseed,
  waitable = waitable,
}
