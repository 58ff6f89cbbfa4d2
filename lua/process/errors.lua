-- Errors that cross a process boundary: process.RemoteError.
--
-- What was raised in another process, with what is known of where and how. It is a table that the
-- codec knows, so it may cross again, and stays what it was: nothing wraps it a second time.

local core = require "process.core"

local RemoteError = { __name = "process.RemoteError" }
RemoteError.__index = RemoteError
core.register("process.RemoteError", RemoteError)

local KINDS = { error = true, ["worker lost"] = true, timeout = true, cancelled = true,
  terminated = true }

-- What an error value says, as the standalone interpreter would print it.
local function message_of(value)
  local kind = type(value)
  if kind == "string" or kind == "number" then
    return tostring(value)
  end
  local mt = getmetatable(value)
  if type(mt) == "table" and mt.__tostring then
    local ok, text = pcall(tostring, value)
    if ok then
      return text
    end
  end
  return ("(error object is a %s value)"):format(kind)
end

function RemoteError:__tostring()
  local message = message_of(self.value)
  if self.traceback == "" then
    return ("%s\n\nin %s (pid %s), outside of the task's function"):format(message, self.process,
      self.pid)
  elseif not self.traceback then
    return message
  end
  local frames = self.traceback:gsub("^%s*stack traceback:%s*", "")
  return ("%s\n\nremote traceback (%s, pid %s):\n\t%s"):format(message, self.process, self.pid,
    frames)
end

-- Whether a value is a RemoteError.
local function is_remote(value)
  return type(value) == "table" and getmetatable(value) == RemoteError
end

-- new{ value=, kind=, traceback=, process=, pid= }: a RemoteError. Without a kind it is an "error",
-- without process and pid of this process; the traceback may be missing.
local function new(fields)
  local kind = fields.kind or "error"
  if not KINDS[kind] then
    error("no kind of RemoteError: " .. tostring(kind), 2)
  end
  return setmetatable({ value = fields.value, kind = kind, traceback = fields.traceback,
    process = fields.process or core.name(), pid = fields.pid or core.getpid() }, RemoteError)
end

-- capture(value[, where]): the RemoteError for an error value of this process; one that is a
-- RemoteError is returned as it is. A value that cannot be sent is replaced by its text. `where` is
-- the traceback as a string; or the level where it begins, counted from the caller, as error has
-- it; without it that is the function that raised, if this is called as a message handler.
local function capture(value, where)
  if is_remote(value) then
    return value
  end
  local traceback = where
  if type(where) ~= "string" then
    traceback = debug.traceback(nil, (where or 1) + 1)
  end
  if not pcall(core.dumps, value) then
    value = message_of(value)
  end
  return new{ value = value, traceback = traceback }
end

return {
  RemoteError = RemoteError,
  capture = capture,
  new = new,
}
