-- Arguments spelled out. The name of the process and an argument called name are two things.

local process = require "process"

local function by_position(a, b, c)
  print(a, b, c)
  print(math.type(a), math.type(b), type(c))
end

local function by_name(name, age)
  print(name, age)
  print("in process", process.current_process().name)
end

process.Process{ target = by_position, args = { 1, 2, "egon" } }:start():join()

local p = process.Process{
  target = by_name,
  kwargs = { name = "egon", age = 18 },
  name = "p1",
}
p:start()
p:join()
