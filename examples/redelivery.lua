-- A worker that dies takes no work along: what it had got from a JoinableQueue and not finished is
-- delivered again, and the queue is joined when all is done.

local process = require "process"

local jobs, results = process.JoinableQueue(), process.Queue()

local function work()
  for n, _, attempt in jobs:items() do
    -- A worker of bad luck: number 13 kills whoever works on it the first time.
    if n == 13 and not attempt then
      process.sleep(0.01)
      os.execute("kill -9 " .. process.getpid())
    end
    results:put{ n, attempt or 1 }
    jobs:task_done()
  end
end

local workers = {}
for i = 1, 4 do workers[i] = process.Process(work):start() end
for n = 1, 100 do jobs:put(n) end

print("joined", jobs:join(30))
jobs:shutdown()
local killed = 0
for _, w in ipairs(workers) do
  w:join()
  if w.exitcode == -9 then killed = killed + 1 end
end
print("workers killed", killed)

local done, sum = results:qsize(), 0
for _ = 1, done do
  local result = results:get()
  sum = sum + result[1]
  if result[2] > 1 then print("number " .. result[1], "attempt " .. result[2]) end
end
print("items", done, "sum", sum)

-- With lost = "drop" it would be gone, and count as finished.
local careless = process.JoinableQueue{ lost = "drop" }
careless:put("a job")
local p = process.Process(function() careless:get() end)
p:start()
p:join()
print("dropped", careless:join(), careless:get(false))
