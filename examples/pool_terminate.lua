-- terminate: the workers end at once, and what they had not finished fails.

local process = require "process"

local pool = process.Pool(2)
local begun = process.Value("i", 0)
local function slow()
  begun:add(1)
  process.sleep(60)
end

local results = {}
for i = 1, 20 do results[i] = pool:apply_async(slow, { i }) end
local start = process.now()
pool:terminate()
pool:join()
print("at once", process.now() - start < 10)
print("never begun, most of them", begun.value <= 2)
print("workers", #process.active_children())

local ok, failure = pcall(results[20].get, results[20]) -- does not wait for ever
print(ok, failure.kind, failure)
