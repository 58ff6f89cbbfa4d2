-- How shared containers are shown: tostring of them, cut to a line.

local core = require "process.core"

local show = {}

-- Bytes of a line, and how deep containers in containers are shown.
local LINE <const>, DEPTH <const> = 78, 4

-- Metatable -> { open, close, parts, quote }, see show.class.
local classes = {}

local RESERVED = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch "%a+" do
  RESERVED[word] = true
end

local ESCAPES = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\0"] = "\\0" }

local function quoted(s, quote)
  local text = s:sub(1, LINE):gsub("[\\" .. quote .. "]", "\\%0")
  return quote .. text:gsub("%c", function(c)
    return ESCAPES[c] or ("\\x%02x"):format(c:byte())
  end) .. quote
end

-- The key of an entry, as in a constructor of Lua.
local function key_text(key)
  if type(key) == "string" and key:match "^[%a_][%w_]*$" and not RESERVED[key] then
    return key .. " = "
  end
  return "[" .. (type(key) == "string" and quoted(key, '"') or tostring(key)) .. "] = "
end

local value_text

-- The first bytes of a text, without a part of a character at the end.
local function cut(text, bytes)
  return (text:sub(1, math.max(bytes, 0)):gsub("[\xC2-\xF4][\x80-\xBF]*$", ""))
end

-- `parts` calls add(label, value) for each entry, as long as that is true. `room` is how many bytes
-- of the line are left, `seen` what contains this.
local function body(class, v, room, seen)
  local pieces, size = {}, #class.open + #class.close
  local function add(label, value)
    local piece = label .. value_text(value, room - size, seen, class.quote)
    if size + #piece > room then
      pieces[#pieces + 1] = (#pieces == 0 and cut(piece, room - size) or "") .. "..."
      return false
    end
    pieces[#pieces + 1] = piece
    size = size + #piece + 2
    return true
  end
  class.parts(v, add)
  return class.open .. table.concat(pieces, ", ") .. class.close
end

local TABLE = { open = "{", close = "}", quote = '"' }

function TABLE.parts(t, add)
  local n = #t
  for i = 1, n do
    if not add("", t[i]) then
      return
    end
  end
  for key, value in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) and
      not add(key_text(key), value) then
      return
    end
  end
end

local function class_of(v)
  local metatable = getmetatable(v)
  if type(v) == "table" and metatable == nil then
    return TABLE
  end
  return classes[metatable]
end

function value_text(v, room, seen, quote)
  if type(v) == "string" then
    return quoted(v, quote)
  end
  local class = class_of(v)
  if class == nil then
    return tostring(v)
  elseif seen[v] or seen.depth == DEPTH then
    return class.open .. "..." .. class.close
  end
  local over = type(v) == "userdata" and core.manager_over(v)
  if over then
    return over
  end
  seen[v], seen.depth = true, seen.depth + 1
  local text = body(class, v, room, seen)
  seen[v], seen.depth = nil, seen.depth - 1
  return text
end

-- entries(pairs): the `parts` of a class whose entries have keys; pairs(v) iterates over them.
function show.entries(pairs_of)
  return function(v, add)
    for key, value in pairs_of(v) do
      if not add(key_text(key), value) then
        return
      end
    end
  end
end

-- elements(items): the `parts` of a class whose entries have none; items(v) iterates over indexes
-- and elements.
function show.elements(items)
  return function(v, add)
    for _, element in items(v) do
      if not add("", element) then
        return
      end
    end
  end
end

-- class(metatable, open, close, parts[, quote]): values with this metatable are shown as what
-- `parts` says between `open` and `close`, their strings in `quote` (by default ").
function show.class(metatable, open, close, parts, quote)
  classes[metatable] = { open = open, close = close, parts = parts, quote = quote or '"' }
  metatable.__tostring = function(v)
    return value_text(v, LINE, { depth = 0 })
  end
end

return show
