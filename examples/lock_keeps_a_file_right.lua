-- Several processes change the same data, a number in a file. With a lock they do it one after the
-- other: slower, and right. Without it some of what they add is lost.

local process = require "process"

local lock = process.Lock()
local path = os.tmpname()

local function write_number(n)
  local file <close> = assert(io.open(path, "w"))
  file:write(("%06d"):format(n))
end

local function read_number()
  local file <close> = assert(io.open(path))
  return file:read("n") or 0
end

local function add_one() write_number(read_number() + 1) end

local function run(n, target)
  local begin = process.now()
  local list = {}
  for i = 1, n do list[i] = process.Process(target):start() end
  for _, p in ipairs(list) do p:join() end
  return process.now() - begin
end

write_number(0)
run(10, function()
  for _ = 1, 100 do lock:with(add_one) end
end)
print("with a lock", read_number())

write_number(0)
run(10, function()
  for _ = 1, 100 do add_one() end
end)
print("without", read_number())
os.remove(path)

-- What it costs: the sections follow each other.
local function section() process.sleep(0.2) end
print("in turn", ("%.2f s"):format(run(3, function() lock:with(section) end)))
print("at once", ("%.2f s"):format(run(3, section)))
