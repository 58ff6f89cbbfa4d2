-- What a process is made of: all fields of the constructor are optional, and can be read
-- before the start.

local process = require "process"

local function greet(who, options)
  print("hello " .. who .. " " .. options)
end

local first = process.Process{}
local second = process.Process{ target = print }
print("defaults", first.name, first.daemon, second.name, second.daemon)

local p = process.Process{
  target = greet,
  name = "w",
  args = { "world" },
  kwargs = { options = "kindly" },
  daemon = true,
}
print("given", p.name, p.daemon)
p:start()
p:join()

-- An unknown field is a mistake, and said at once.
print("mistake", (pcall(process.Process, { tarket = greet })))
