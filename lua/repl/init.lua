-- The conversation of the prompt, without a terminal: a line goes in, and out comes whether it
-- needs more lines, or what it gave. Input and output are the business of repl.console.

-- Kept here, as the user may change or remove any global. The debug library is for tracebacks.
local traceback = debug.traceback
local find, format, gsub, sub = string.find, string.format, string.gsub, string.sub
local pack, unpack = table.pack, table.unpack
local getmetatable, load, rawget, setmetatable = getmetatable, load, rawget, setmetatable
local tostring, type, xpcall = tostring, type, xpcall

local Session = {}
Session.__index = Session

-- The compiler says so at the end of a message if the text only stops too early.
local function is_incomplete(message)
  return find(message, "<eof>$") ~= nil
end

-- Compiles a text as an expression if it is one, else as statements. Returns the function, or nil
-- and the message, or nil and nothing if more lines may make it complete.
local function compile(text, env)
  local chunk, not_expression = load("return " .. text, "=stdin", "t", env)
  if chunk then
    -- So that a call in it is no tail call: errors find the line that made it.
    return load(format("return (function(...) return ... end)(%s\n)", text), "=stdin", "t", env)
      or chunk
  end
  local not_statement
  chunk, not_statement = load(text, "=stdin", "t", env)
  if chunk then return chunk end
  if is_incomplete(not_expression) or is_incomplete(not_statement) then return nil end
  return nil, not_statement
end

-- What to print for an error value, as a host prints it for a script: a string and objects with
-- __tostring speak for themselves, and all but the latter get a traceback.
local function describe_error(value)
  local message = value
  if type(value) ~= "string" and type(value) ~= "number" then
    local meta = getmetatable(value)
    local render = type(meta) == "table" and rawget(meta, "__tostring")
    local text = render and render(value)
    if type(text) == "string" then return text end
    message = format("(error object is a %s value)", type(value))
  end
  return traceback(message, 2)
end

-- Takes the prompt's own frames off a traceback. They begin at the first xpcall: an error that
-- comes through to here was not raised under another one.
local function cut_own_frames(text)
  local first = find(text, "\n\t[C]: in function 'xpcall'", 1, true)
  return first and sub(text, 1, first - 1) .. "\n\t[C]: in ?" or text
end

local function run(chunk)
  local results = pack(xpcall(chunk, describe_error))
  if results[1] then return "results", pack(unpack(results, 2, results.n)) end
  return "error", cut_own_frames(tostring(results[2]))
end

-- Takes one line. Returns "more" if the text so far is incomplete; "results" and the packed values
-- that it gave; or "error" and a message. A '=' in front of an expression is accepted.
function Session:feed(line)
  local text = self.text and self.text .. "\n" .. line or gsub(line, "^=", "return ")
  local chunk, message = compile(text, self.env)
  if not chunk and not message then
    self.text = text
    return "more"
  end
  self:reset()
  if not chunk then return "error", message end
  return run(chunk)
end

-- Forgets the lines of an incomplete text.
function Session:reset()
  self.text = nil
end

-- 1 if a new text begins with the next line, 2 if it goes on.
function Session:level()
  return self.text and 2 or 1
end

-- A conversation whose code sees `env` as its globals.
local function new(env)
  return setmetatable({ env = env }, Session)
end

return { new = new }
