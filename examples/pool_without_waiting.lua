-- apply_async returns at once: three workers begin, the fourth task waits for one of them.

local process = require "process"

local function func(n)
  print("Start process " .. n)
  process.sleep(0.2)
  print("End process " .. n)
end

local pool = process.Pool(3)
for i = 0, 3 do pool:apply_async(func, { i }) end
print "Started processes"
pool:close()
pool:join()
print "Subprocess done."
