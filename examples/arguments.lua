-- Arguments by position and by name. Lua keeps the names of a function's parameters, so that
-- kwargs find their places; a name that the function does not have is refused at the start.

local process = require "process"

local function introduce(name, age)
  print("child", name, age)
end

process.Process{ target = introduce, args = { "wang" }, kwargs = { age = 10 } }:start():join()

local p = process.Process{ target = introduce, args = { "wang" }, kwargs = { agee = 10 } }
print(pcall(p.start, p))

-- A function with dots takes the names it does not know as one last table.
local function order(dish, ...)
  print(dish, (...).drink)
end

process.Process{ target = order, args = { "soup" }, kwargs = { drink = "tea" } }:start():join()
