-- The prompt on a terminal or a pipe: reads lines, feeds them to a conversation (repl), prints what
-- comes out.

local repl = require "repl"
local terminal = require "repl.terminal"

-- Kept here, as the user may change or remove any global.
local find = string.find
local unpack = table.unpack
local pcall, rawset, require, tostring = pcall, rawset, require, tostring
local stdout, stderr = io.stdout, io.stderr

-- Globals of the prompt that load a module when they are first used. Scripts do not have them.
local LAZY_GLOBALS = { process = "process" }

local function sorted_keys(t)
  local list = {}
  for key in pairs(t) do list[#list + 1] = key end
  table.sort(list)
  return list
end

-- Makes the lazy globals known to `env`, unless it has a metatable of its own, which LUA_INIT or
-- the script before the prompt may have given it.
local function install_lazy_globals(env)
  if getmetatable(env) ~= nil then return end
  setmetatable(env, {
    __index = function(_, name)
      local module = LAZY_GLOBALS[name]
      if not module then return nil end
      local value = require(module)
      rawset(env, name, value)
      return value
    end,
  })
end

-- A function that reads a line with an editor that remembers and completes; nil without one.
local function editor_reader(env)
  local term = os.getenv("TERM")
  if not terminal.is_terminal() or not term or term == "dumb" then return nil end
  local editor = terminal.editor()
  if not editor then return nil end
  local complete = require("repl.complete").complete
  local history = require("repl.history").open(terminal.open_private)
  local lazy = sorted_keys(LAZY_GLOBALS)
  history:each(function(line) editor:remember(line) end)
  editor:set_completer(function(text) return complete(env, lazy, text) end)
  return function(prompt)
    local line, why = editor:read(prompt)
    if line and find(line, "%S") then
      editor:remember(line)
      history:add(line)
    end
    return line, why
  end
end

-- The user may set the prompts, to anything that can be turned into a string.
local function prompt_text(env, level)
  local default = level == 1 and "> " or ">> "
  local name = level == 1 and "_PROMPT" or "_PROMPT2"
  local ok, text = pcall(function() return tostring(env[name] or default) end)
  return ok and text or default
end

local function complain(message)
  stdout:flush()
  stderr:write(message, "\n")
  stderr:flush()
end

local function print_results(env, results)
  if results.n == 0 then return end
  local ok, message = pcall(env.print, unpack(results, 1, results.n))
  if not ok then complain("error calling 'print' (" .. tostring(message) .. ")") end
end

-- One line of conversation. False at the end of input.
local function turn(session, read, env)
  local line, why = read(prompt_text(env, session:level()))
  if not line then
    session:reset()
    stdout:write("\n")
    return why ~= "eof"
  end
  local kind, outcome = session:feed(line)
  if kind == "results" then print_results(env, outcome) end
  if kind == "error" then complain(outcome) end
  return true
end

-- Talks with the user until the end of input. What can fail in here, but for a Ctrl-C between two
-- lines, is code of the user's; it costs a message and, as each turn reads a line, ends with the
-- input.
local function run()
  local env = _G
  install_lazy_globals(env)
  local read = editor_reader(env) or terminal.read_line
  local session = repl.new(env)
  repeat
    local ok, goes_on = pcall(turn, session, read, env)
    if not ok then complain(tostring(goes_on)) end
  until ok and not goes_on
end

return { run = run }
