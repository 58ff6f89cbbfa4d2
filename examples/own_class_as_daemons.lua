-- The same as daemons: main ends at once, and they with it, before any of them has said a word.

local process = require "process"

local My = process.Process:extend("My")

function My:init(loop)
  self.loop = loop
end

function My:run()
  for count = 0, self.loop - 1 do
    process.sleep(1)
    print("Pid: " .. self.pid .. " LoopCount: " .. count)
  end
end

for i = 2, 4 do
  local p = My(i)
  p.daemon = true
  p:start()
end

print("Main process Ended!")
