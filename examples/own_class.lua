-- A class of one's own: init takes the arguments, run is what the child does.

local process = require "process"

local My = process.Process:extend("My")

function My:init(loop)
  process.Process.init(self, {}) -- allowed, not needed: the base is ready
  self.loop = loop
end

function My:run()
  for count = 0, self.loop - 1 do
    process.sleep(0.1)
    print("Pid: " .. self.pid .. " LoopCount: " .. count)
  end
end

for i = 2, 4 do
  My(i):start()
end
