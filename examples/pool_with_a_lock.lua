-- A pool's tasks run at the same time: what they change together needs a lock, and may have one.

local process = require "process"

local path = os.tmpname()

local function add_one_to_file(name)
  local file <close> = assert(io.open(name, "r+"))
  local n = file:read("n")
  process.sleep(0.001) -- long enough for another to read the same number
  file:seek("set")
  file:write(n + 1)
end

local function write(n)
  local file <close> = assert(io.open(path, "w"))
  file:write(n)
end

local function read()
  local file <close> = assert(io.open(path))
  return file:read("n")
end

local lock = process.Lock()
local pool <close> = process.Pool(3)

write(0)
local results = {}
for i = 1, 30 do
  results[i] = pool:apply_async(function(its_lock, name)
    local held <close> = its_lock:hold()
    add_one_to_file(name)
  end, { lock, path }) -- as an argument; an upvalue would do as well
end
for _, result in ipairs(results) do result:get() end
print("with a lock", read())

write(0)
pool:map(function() add_one_to_file(path) end, { n = 30 })
print("without one at most thirty", read() <= 30)
os.remove(path)
