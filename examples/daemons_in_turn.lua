-- Daemons that are joined are not cut short. start and join in one loop: one after the other.

local process = require "process"

local My = process.Process:extend("My")

function My:init(loop)
  self.loop = loop
end

function My:run()
  for count = 0, self.loop - 1 do
    process.sleep(0.1)
    print("Pid: " .. self.pid .. " LoopCount: " .. count)
  end
end

for i = 2, 4 do
  local p = My(i)
  p.daemon = true
  p:start()
  p:join()
end

print("Main process Ended!")
