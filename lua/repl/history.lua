-- The lines typed at earlier prompts, one a line in a file that only the user may read.

local MAX_LINES = 1000

local History = {}
History.__index = History

-- Where the file is: under $XDG_STATE_HOME if that is an absolute path, else under ~/.local/state.
-- nil if there is no home.
local function path()
  local base = os.getenv("XDG_STATE_HOME")
  if not base or base:sub(1, 1) ~= "/" then
    local home = os.getenv("HOME")
    if not home or home == "" then return nil end
    base = home .. "/.local/state"
  end
  return base .. "/mpl/history"
end

-- Rewrites a file that has grown to more than twice its size. Lines that another prompt adds at
-- this very moment are lost.
local function trim(name, lines)
  if #lines <= 2 * MAX_LINES then return end
  local file <close> = io.open(name, "w")
  if not file then return end
  file:write(table.concat(lines, "\n", #lines - MAX_LINES + 1), "\n")
end

-- Calls f with each of the remembered lines, oldest first.
function History:each(f)
  for i = math.max(1, #self.lines - MAX_LINES + 1), #self.lines do f(self.lines[i]) end
end

-- Adds a line, at once: a prompt that is killed forgets nothing.
function History:add(line)
  if not self.file or line == self.last or not line:find("%S") then return end
  self.last = line
  self.file:write(line, "\n")
  self.file:flush()
end

-- Opens the history with `open_private` (of repl.terminal). Without a file it remembers nothing.
local function open(open_private)
  local name = path()
  local file = name and open_private(name) or nil
  local lines = {}
  if file then
    for line in file:lines() do lines[#lines + 1] = line end
    trim(name, lines)
  end
  return setmetatable({ file = file, lines = lines, last = lines[#lines] }, History)
end

return { open = open }
