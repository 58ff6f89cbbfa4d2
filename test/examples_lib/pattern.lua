-- Patterns for the output of programs whose processes print at the same time.
--
-- A pattern is plain data and describes the whole output, every line of it:
--   "text"                        one line
--   { a, b, … }                   a, then b, …
--   { mixed = true, a, b, … }     all of them; their lines may mix, each keeps its own order
--   { any_order = true, a, b, … } all of them, one whole part after the other, in any order
--   times = 3  or  { 1, 3 }       in any of the tables: so often in succession
--
-- In a line, <name> stands for an integer (a pid, as a rule): the same name is the same number
-- wherever it stands, and two names are two numbers. A table `where` may give a name another
-- meaning, for each place where it stands on its own: { 0.2, 1 } a number from 0.2 to 1,
-- { "a", "b" } one of these words, "%a+" whatever this Lua pattern matches.
--
-- Matching takes derivatives: `advance` says what may follow once a line has been seen. That
-- works for mixed parts too, where regular expressions give up.

local pattern = {}

-- More steps than this mean that a pattern can be read in too many ways.
local STEP_LIMIT = 200000

local DONE = { kind = "sequence", parts = {} }

local function compile(spec)
  if type(spec) == "string" then return { kind = "line", text = spec } end
  local parts = {}
  for i, part in ipairs(spec) do parts[i] = compile(part) end
  local kind = spec.mixed and "mixed" or spec.any_order and "any_order" or "sequence"
  local node = { kind = kind, parts = parts }
  if not spec.times then return node end
  local least, most = spec.times, spec.times
  if type(spec.times) == "table" then least, most = spec.times[1], spec.times[2] end
  return { kind = "times", parts = { node }, least = least, most = most }
end

-- Whether the node is content with no line at all.
local function nullable(node)
  if node.kind == "line" then return false end
  if node.kind == "times" and node.least == 0 then return true end
  for _, part in ipairs(node.parts) do
    if not nullable(part) then return false end
  end
  return true
end

-- The parts with number i replaced by `rest`, or taken out where nothing is left of it.
local function replaced(parts, i, rest)
  local copy = table.move(parts, 1, #parts, 1, {})
  if rest == DONE then table.remove(copy, i) else copy[i] = rest end
  return copy
end

local function sequence(parts)
  return #parts == 0 and DONE or { kind = "sequence", parts = parts }
end

local function fits(meaning, text)
  if type(meaning) == "string" then return true end
  if type(meaning[1]) == "number" then
    local number = tonumber(text)
    return number and number >= meaning[1] and number <= meaning[2]
  end
  for _, word in ipairs(meaning) do
    if word == text then return true end
  end
  return false
end

local function capture_for(meaning)
  if meaning == nil then return "(%-?%d+)" end
  if type(meaning) == "string" then return "(" .. meaning .. ")" end
  return type(meaning[1]) == "number" and "(%-?%d+%.?%d*)" or "(.-)"
end

-- A line with its names, as a Lua pattern and the list of the names. Kept in the node: nodes live
-- as long as one match, and `where` is the same all through it.
local function line_pattern(node, where)
  if not node.pattern then
    local names, at, made = {}, 1, "^"
    for before, name, after in node.text:gmatch("()<([%a_][%w_]*)>()") do
      names[#names + 1] = name
      made = made .. node.text:sub(at, before - 1):gsub("%W", "%%%0") .. capture_for(where[name])
      at = after
    end
    node.pattern = made .. node.text:sub(at):gsub("%W", "%%%0") .. "$"
    node.names = names
  end
  return node.pattern, node.names
end

-- The numbers known after the line has been read as the node's text; nil where it cannot be.
local function read_line(node, line, known, where)
  local lua_pattern, names = line_pattern(node, where)
  local found = table.pack(line:match(lua_pattern))
  if not found[1] then return nil end
  for i, name in ipairs(names) do
    if where[name] then
      if not fits(where[name], found[i]) then return nil end
    elseif known[name] ~= found[i] then
      if known[name] or known[found[i]] then return nil end
      -- One table for both ways: a name never looks like a number.
      local more = { [name] = found[i], [found[i]] = name }
      known = setmetatable(more, { __index = known })
    end
  end
  return known
end

local advance

-- What is left of the whole once `line` was read as the first line of part i.
local function advance_part(node, i, line, known, where, found)
  for _, way in ipairs(advance(node.parts[i], line, known, where)) do
    local rest
    if node.kind == "mixed" then
      rest = { kind = "mixed", parts = replaced(node.parts, i, way.rest) }
    elseif node.kind == "any_order" then
      local others = { kind = "any_order", parts = replaced(node.parts, i, DONE) }
      rest = sequence{ way.rest, others }
    elseif node.kind == "times" then
      local least = math.max(node.least - 1, 0)
      local again = { kind = "times", parts = node.parts, least = least, most = node.most - 1 }
      rest = sequence{ way.rest, again }
    else
      rest = sequence(replaced(table.move(node.parts, i, #node.parts, 1, {}), 1, way.rest))
    end
    found[#found + 1] = { rest = rest, known = way.known }
  end
end

-- All ways to read `line` as the first line of the node: a list of { rest =, known = }.
function advance(node, line, known, where)
  if node.kind == "line" then
    local after = read_line(node, line, known, where)
    return after and { { rest = DONE, known = after } } or {}
  end
  local found = {}
  if node.kind == "times" and node.most == 0 then return found end
  for i, part in ipairs(node.parts) do
    advance_part(node, i, line, known, where, found)
    if node.kind == "sequence" and not nullable(part) then break end
  end
  return found
end

local function shown(text)
  return '"' .. text:gsub("\t", "\\t") .. '"'
end

-- The texts that a node may begin with, for the message.
local function beginnings(node, list)
  if node.kind == "line" then
    list[#list + 1] = shown(node.text)
  elseif node.kind ~= "times" or node.most > 0 then
    for _, part in ipairs(node.parts) do
      beginnings(part, list)
      if node.kind == "sequence" and not nullable(part) then break end
    end
  end
  return list
end

local function complaint(lines, at, node)
  local expected = beginnings(node, {})
  local list = table.concat(expected, " or ", 1, math.min(#expected, 4))
  if #expected > 4 then list = list .. " or …" end
  if #expected == 0 then list = "the end" end
  if at > #lines then return "ends too early: expected " .. list end
  return ("line %d is %s: expected %s"):format(at, shown(lines[at]), list)
end

--- Whether the lines are what the pattern describes.
-- @return true; or nil and a message about the first line that no reading of the pattern allows
function pattern.match(spec, lines, where)
  where = where or {}
  local furthest, expected, steps = 0, nil, 0
  local function search(node, at, known)
    steps = steps + 1
    if steps > STEP_LIMIT then error("the pattern can be read in too many ways", 0) end
    if at > furthest then furthest, expected = at, node end
    if at > #lines then return nullable(node) end
    for _, way in ipairs(advance(node, lines[at], known, where)) do
      if search(way.rest, at + 1, way.known) then return true end
    end
    return false
  end
  if search(compile(spec), 1, {}) then return true end
  return nil, complaint(lines, furthest, expected)
end

--- The lines of a text; a last one without its newline counts.
function pattern.lines(text)
  if text ~= "" and text:sub(-1) ~= "\n" then text = text .. "\n" end
  local lines = {}
  for line in text:gmatch("(.-)\n") do lines[#lines + 1] = line end
  return lines
end

return pattern
