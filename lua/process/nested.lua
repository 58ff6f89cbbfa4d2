-- process.share: plain nested tables as nested shared dicts and lists, and back. Both ways keep
-- cycles, and what was one table is one.

local arguments = require "process.arguments"
local core = require "process.core"

local Dict <const>, List <const> = core.dict.Dict, core.list_class

local function is_plain(v)
  return type(v) == "table" and getmetatable(v) == nil
end

-- Whether the keys of t are 1 to n, n > 0.
local function is_list(t)
  local n = #t
  local count = 0
  for key in next, t do
    if math.type(key) ~= "integer" or key < 1 or key > n then
      return false
    end
    count = count + 1
  end
  return n > 0 and count == n
end

-- share(t): a shared list if the keys of the plain table t are 1 to n, n > 0, else a shared dict;
-- the same for plain tables in it, at any depth. Other values are stored as they are.
local function share(t)
  arguments.check_dot(t, "share")
  if not is_plain(t) then
    error("bad argument #1 to 'share' (plain table expected, got " .. arguments.kind(t) ..
      (type(t) == "table" and " with a metatable" or "") .. ")", 2)
  end
  local made, work = {}, {}

  local function shared(v)
    if not is_plain(v) then
      return v
    end
    if not made[v] then
      made[v] = is_list(v) and core.list() or core.dict.new()
      work[#work + 1] = v
    end
    return made[v]
  end

  local function store(to, from)
    if getmetatable(to) == Dict then
      for key, value in next, from do
        to[key] = shared(value)
      end
    else
      for i = 1, #from do
        to:append(shared(from[i]))
      end
    end
  end

  local function store_all()
    local done = 0
    while done < #work do
      done = done + 1
      store(made[work[done]], work[done])
    end
  end

  local first = shared(t)
  arguments.fill(t, store_all)
  return first
end

-- plain(v): a plain table with the contents of a shared dict or list, and so for dicts and lists in
-- it, at any depth, also within plain tables.
local function plain(v)
  local made, work = {}, {}

  local function copied(value)
    local metatable = getmetatable(value)
    local copy
    if made[value] then
      return made[value]
    elseif metatable == Dict then
      copy = core.dict.list(value, "copy")
    elseif metatable == List and List then
      copy = value:slice()
    elseif is_plain(value) then
      copy = value -- it is a copy, made when it was read
    else
      return value
    end
    made[value] = copy
    work[#work + 1] = copy
    return copy
  end

  local first = copied(v)
  local done = 0
  while done < #work do
    done = done + 1
    local t = work[done]
    for key, value in next, t do
      t[key] = copied(value)
    end
  end
  return first
end

return { share = share, plain = plain }
