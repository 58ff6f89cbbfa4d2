-- Five processes write lines in two pieces. The lock that they were given keeps each line whole;
-- take the two lines with the lock out to see what happens without.

local process = require "process"

local My = process.Process:extend("My")

function My:init(loop, lock)
  self.loop = loop
  self.lock = lock
end

function My:run()
  for count = 0, self.loop - 1 do
    process.sleep(0.01)
    self.lock:acquire()
    io.write("Pid: ", self.pid):flush()
    print(" LoopCount: " .. count)
    self.lock:release()
  end
end

local lock = process.Lock()
local list = {}
for i = 10, 14 do
  list[#list + 1] = My(i, lock):start()
end
for _, p in ipairs(list) do p:join() end
print("locked", lock:locked())
