-- The fields of a Process object: what they say of its process, and what `p.name` and the like read
-- and write.
--
-- Invariant: an object has all that the module knows of its process in one table, under STATE;
-- other keys are the script's. Attributes cannot be hidden by a subclass.

local core = require "process.core"

-- Key of an object's private fields: a name, so that an object that was sent still has them.
local STATE = "process.state"

local CLASS = {} -- key, in an instance's metatable, of its class

local SIGNALS = { [1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL", [5] = "SIGTRAP",
  [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE", [9] = "SIGKILL", [10] = "SIGUSR1",
  [11] = "SIGSEGV", [12] = "SIGUSR2", [13] = "SIGPIPE", [14] = "SIGALRM", [15] = "SIGTERM" }

local function is_process(v)
  local mt = getmetatable(v)
  return type(v) == "table" and type(mt) == "table" and mt[CLASS] ~= nil
end

-- An object's private fields. Raises in the name of the method's caller if `self` is no Process, or
-- is closed and that is not `allowed`.
local function state_of(self, method, allowed)
  if not is_process(self) then
    error("bad argument #1 to '" .. method .. "' (Process expected, got " .. type(self) ..
      "; call it with a colon)", 3)
  end
  local st = rawget(self, STATE)
  if st.closed and not allowed then
    error("process object is closed", 3)
  end
  return st
end

-- Whether the process of these fields was started. An error may have struck on either side of the
-- fork: then it is the child's handle that knows.
local function is_started(st)
  return st.started or st.child ~= nil and st.child:pid() ~= nil
end

-- Whether the process of these fields is a child of this very process; an object may be its copy in
-- a sibling.
local function is_own_child(st)
  return st.child ~= nil and st.parent_pid == core.getpid() and is_started(st)
end

--------------------------------------------------------------------------------
-- Attributes

local function exitcode(st)
  if not is_own_child(st) then
    return st.exitcode
  end
  if st.exitcode == nil then
    st.exitcode = st.child:exitcode()
  end
  return st.exitcode
end

local function pid_of(st)
  if st.is_self then
    return core.getpid()
  end
  return st.child and st.child:pid()
end

local getters = {
  name = function(st) return st.name end,
  daemon = function(st) return st.daemon end,
  authkey = function(st) return st.authkey end,
  pid = pid_of,
  exitcode = exitcode,
  sentinel = function(st)
    if not is_started(st) then
      error("process not started: it has no sentinel", 3)
    elseif not is_own_child(st) then
      error("only the parent of a process has its sentinel", 3)
    end
    local fd, message = st.child:sentinel()
    if not fd then
      error(message, 3)
    end
    return fd
  end,
}
getters.ident = getters.pid

local OPEN_WHEN_CLOSED = { name = true, daemon = true }

local setters = {
  name = function(st, v)
    if type(v) ~= "string" then
      error("name must be a string, got " .. type(v), 3)
    end
    st.name = v
    if st.is_self then
      core.rename(v)
    end
  end,
  daemon = function(st, v)
    if type(v) ~= "boolean" then
      error("daemon must be true or false, got " .. type(v), 3)
    end
    if is_started(st) then
      error("process has already started", 3)
    end
    st.daemon = v
  end,
  authkey = function(st, v)
    if type(v) ~= "string" then
      error("authkey must be a string, got " .. type(v), 3)
    end
    st.authkey = v
  end,
}

local function describe(self)
  local st = self[STATE]
  local class = getmetatable(self)[CLASS]
  local parts = { ("name='%s'"):format(st.name) }
  if not st.closed and pid_of(st) then
    parts[#parts + 1] = "pid=" .. pid_of(st)
  end
  if st.parent_pid then
    parts[#parts + 1] = "parent=" .. st.parent_pid
  end
  local code = not st.closed and exitcode(st) or nil
  if st.closed then
    parts[#parts + 1] = "closed"
  elseif not is_started(st) then
    parts[#parts + 1] = "initial"
  elseif code == nil and not st.is_self and not is_own_child(st) then
    parts[#parts + 1] = "unknown"
  elseif code == nil then
    parts[#parts + 1] = "started"
  else
    parts[#parts + 1] = "stopped exitcode=" ..
      (code < 0 and "-" .. (SIGNALS[-code] or tostring(-code)) or tostring(code))
  end
  if st.daemon then
    parts[#parts + 1] = "daemon"
  end
  return ("<%s %s>"):format(class.class_name, table.concat(parts, " "))
end

-- What a subclass cannot replace: it would lose the attributes.
local OWN = { [CLASS] = true, __name = true, __index = true, __newindex = true }

-- declare(class, key, value): the class's objects get a metamethod of this name, if it is one: what
-- stands under it in the class, or a base, at the time of the call.
local function declare(class, key, value)
  if type(key) ~= "string" or key:sub(1, 2) ~= "__" or OWN[key] then
    return
  elseif type(value) == "function" then
    class.instance[key] = function(...) return class[key](...) end
  else
    class.instance[key] = value
  end
end

-- The metatable of a class's objects. Names of attributes come first: a subclass cannot hide them.
local function instance_metatable(class)
  return {
    [CLASS] = class,
    __name = class.class_name,
    __index = function(self, key)
      local getter = getters[key]
      if getter == nil then
        return class[key]
      end
      local st = rawget(self, STATE)
      if st.closed and not OPEN_WHEN_CLOSED[key] then
        error("process object is closed", 2)
      end
      return getter(st)
    end,
    __newindex = function(self, key, value)
      local setter = setters[key]
      if setter then
        local st = rawget(self, STATE)
        if st.closed and not OPEN_WHEN_CLOSED[key] then
          error("process object is closed", 2)
        end
        setter(st, value)
      elseif getters[key] then
        error("attribute '" .. key .. "' of a Process cannot be set", 2)
      else
        rawset(self, key, value)
      end
    end,
  }
end

return {
  CLASS = CLASS,
  STATE = STATE,
  declare = declare,
  describe = describe,
  exitcode = exitcode,
  instance_metatable = instance_metatable,
  is_own_child = is_own_child,
  is_process = is_process,
  is_started = is_started,
  state_of = state_of,
}
