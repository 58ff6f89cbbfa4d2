-- apply waits for its result: the tasks run one after the other, however many workers there are.

local process = require "process"

local function func(n)
  print("Start process " .. n)
  process.sleep(0.02)
  print("End process " .. n)
  return n, n * n
end

local pool = process.Pool(3)
local last, square
for i = 0, 3 do last, square = pool:apply(func, { i }) end
print("Started processes", last, square)
pool:close()
pool:join()
print "Subprocess done."
