-- How a process of the program ends: what was registered for its end, its children, and os.exit.

local arguments = require "process.arguments"
local core = require "process.core"

local is_callable = arguments.is_callable

local EXIT = os.exit

local handlers = {} -- of this process, in the order of their registration
local owner = core.getpid() -- the process to which they belong
local is_child = false -- whether this process is a Process, and so ends by core.exit_child
local finishing = false

local finish

-- A process has the handlers that it registered itself; a fork brings its parent's along, and they
-- are forgotten the first time somebody asks.
local function mine()
  if owner ~= core.getpid() then
    owner, finishing, is_child = core.getpid(), false, false
    if #handlers > 0 then
      handlers = {}
    end
  end
  return handlers
end

-- atexit(f, ...): f(...) is called when this process ends ordinarily; the last registered is called
-- first. Returns f.
local function atexit(f, ...)
  arguments.check_dot(f, "atexit")
  if not is_callable(f) then
    error("bad argument #1 to 'atexit' (function expected, got " .. type(f) .. ")", 2)
  end
  local own, call = mine(), table.pack(f, ...)
  core.at_exit(finish) -- again: before the collector gives up what the handler may use
  own[#own + 1] = call
  return f
end

local function run_handlers()
  local own = mine()
  while #own > 0 do
    local call = table.remove(own)
    local ok, message = pcall(table.unpack(call, 1, call.n))
    if not ok then
      io.stderr:write("error in exit handler: ", tostring(message), "\n")
    end
  end
end

-- With MPL_LEAKS=1 the main program lists at its end the shared objects that are still referred to.
local function list_leaks()
  local _, parent = core.identity()
  if os.getenv "MPL_LEAKS" ~= "1" or parent ~= 0 then
    return
  end
  collectgarbage()
  collectgarbage() -- what finalizers of the first round let go of
  local lines = core.referenced()
  if #lines > 0 then
    io.stderr:write("mpl: still referred to at the end of the program:\n  ",
      table.concat(lines, "\n  "), "\n")
  end
end

-- Runs the exit handlers, ends the daemons and waits for the other children; if the program was
-- interrupted they are, too. An interrupt raises. `failed`: the exit status will not be 0.
finish = function(interrupted, failed)
  mine()
  if finishing then
    return
  end
  finishing = true
  run_handlers()
  if interrupted then
    core.interrupt_children()
  else
    core.join_children(failed)
    list_leaks()
  end
end

-- In a new Process, before anything of the script runs.
local function begin_child()
  mine()
  is_child = true
end

-- os.exit([code[, close]]): a child ends as if its target had returned, with this exit code;
-- nothing of its parent's runs in it, and its state is not closed. So does the child of a raw fork
-- unless its state is to be closed: C's exit would set files that it has inherited, and its parent
-- is reading, back to where the script stands. In the main program as before.
local function os_exit(code, close)
  if code ~= nil and type(code) ~= "boolean" then
    local n = tonumber(code)
    if n == nil then
      error("bad argument #1 to 'exit' (number expected, got " .. type(code) .. ")", 2)
    end
    code = math.tointeger(n)
    if code == nil then
      error("bad argument #1 to 'exit' (number has no integer representation)", 2)
    end
  end
  finish(false, code == false or math.type(code) == "integer" and code ~= 0)
  local _, parent = core.identity()
  if is_child or parent ~= 0 and not close then
    core.exit_child(code == nil and 0 or code == true and 0 or code == false and 1 or code)
  end
  EXIT(code, close)
end

os.exit = os_exit -- luacheck: ignore 122

core.at_exit(finish)

return { atexit = atexit, begin_child = begin_child, finish = finish }
