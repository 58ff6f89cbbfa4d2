-- A child has what its parent's file has loaded. A module is not loaded again, and keeps the state
-- that it had in the parent.

local process = require "process"

package.path = arg[0]:gsub("[^/]*$", "modules/?.lua;") .. package.path

local greeting = require "greeting" -- says so when it is loaded
greeting.word = "Salve"

local p = process.Process(function()
  print("loaded", package.loaded.greeting == greeting, require "greeting" == greeting)
  print(greeting.to("child"))
  greeting.word = "Vale" -- in the child's copy
end)
p:start()
p:join()
print(greeting.to("main"))
