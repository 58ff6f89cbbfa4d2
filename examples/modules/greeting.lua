-- A module with a state, for modules_come_along.lua.

local greeting = { word = "Hello" }

function greeting.to(name)
  return greeting.word .. ", " .. name
end

print("module greeting is loaded")

return greeting
