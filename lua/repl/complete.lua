-- Completion of Lua names at the Tab key. Looks into tables without calling anything of the user's,
-- so that a Tab has no effects.

local KEYWORDS = {
  "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
  "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
}
local INDENT = "  "
local SCREEN_WIDTH = 80

-- Longest chain of __index tables that is followed; a cycle ends here too.
local MAX_DEPTH = 10

-- The table where a value's missing fields are looked up, if it is a table.
local function parent_of(value)
  local meta = getmetatable(value)
  local index = type(meta) == "table" and rawget(meta, "__index")
  return type(index) == "table" and index or nil
end

-- The tables in which fields of `value` are found, nearest first.
local function places_of(value)
  local places = {}
  local place = type(value) == "table" and value or parent_of(value)
  while place and #places < MAX_DEPTH do
    places[#places + 1] = place
    place = parent_of(place)
  end
  return places
end

local function field(value, name)
  for _, place in ipairs(places_of(value)) do
    local found = rawget(place, name)
    if found ~= nil then return found end
  end
end

-- Follows the names before the one to complete: "a.b:" from the globals. `load_global` may know
-- globals that are only loaded at their first use.
local function follow(env, path, load_global)
  local value = env
  local first = true
  for name in path:gmatch("[%w_]+") do
    local found = field(value, name)
    if found == nil and first then found = load_global(name) end
    if found == nil then return nil end
    value, first = found, false
  end
  return value
end

-- Names of the fields of `value` that start with `prefix`, sorted; after a ':' only functions.
local function matches(value, prefix, only_functions, more)
  local seen, list = {}, {}
  local function add(name, is_function)
    if type(name) ~= "string" or seen[name] or not name:find("^[%a_][%w_]*$") then return end
    if name:sub(1, #prefix) ~= prefix or (only_functions and not is_function) then return end
    seen[name] = true
    list[#list + 1] = name
  end
  for _, place in ipairs(places_of(value)) do
    for name, content in next, place do add(name, type(content) == "function") end
  end
  for _, name in ipairs(more) do add(name) end
  table.sort(list)
  return list
end

local function common_prefix(list)
  local first, last = list[1], list[#list] -- sorted: what these two share, all share
  local length = 0
  while length < #first and first:byte(length + 1) == last:byte(length + 1) do
    length = length + 1
  end
  return first:sub(1, length)
end

local function columns(list)
  local width = 0
  for _, name in ipairs(list) do width = math.max(width, #name + 2) end
  local per_row = math.max(1, SCREEN_WIDTH // width)
  local parts = {}
  for i, name in ipairs(list) do
    local ends_row = i % per_row == 0 or i == #list
    parts[#parts + 1] = ends_row and name or name .. (" "):rep(width - #name)
    if ends_row and i < #list then parts[#parts + 1] = "\n" end
  end
  return table.concat(parts)
end

-- For the text before the cursor: what to insert there, or nil, and what to show, or nil.
-- `lazy` lists names of globals that env has not loaded yet.
local function complete(env, lazy, text)
  if not text:find("%S") then return INDENT end
  local path, separator, prefix = text:match("([%a_][%w_%.:]*)([%.:])([%w_]*)$")
  if not path then
    path, separator, prefix = "", "", text:match("[%a_][%w_]*$") or ""
    if prefix == "" then return nil end
  end
  local function load_global(name)
    for _, known in ipairs(lazy) do
      if known == name then return select(2, pcall(function() return env[name] end)) end
    end
  end
  local value = follow(env, path, load_global)
  if value == nil then return nil end
  local more = {}
  if separator == "" then
    more = table.move(lazy, 1, #lazy, #KEYWORDS + 1, { table.unpack(KEYWORDS) })
  end
  local list = matches(value, prefix, separator == ":", more)
  if #list == 0 then return nil end
  local insertion = common_prefix(list):sub(#prefix + 1)
  if insertion ~= "" then return insertion end
  return nil, #list > 1 and columns(list) or nil
end

return { complete = complete }
