-- The classic mistake: workers wait for jobs, nobody tells them that there are no more, and main
-- waits for the workers. When all are asleep the program says so and ends, with status 1.

local process = require "process"

local jobs = process.Queue{ name = "jobs" }
local results = process.Queue()

local worker = process.Process{ name = "worker", target = function()
  for job in jobs:items() do results:put(job * job) end
end }
worker:start()

jobs:put_many{ 2, 3, 4 }
for _ = 1, 3 do print(results:get()) end

-- jobs:shutdown() is missing here.
worker:join()
print("never printed")
