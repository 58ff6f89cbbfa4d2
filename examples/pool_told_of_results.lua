-- How to be told of a result: ask again and again, wait, or have a function called.

local process = require "process"

local pool = process.Pool(2)
local function double(n)
  process.sleep(0.02)
  return 2 * n
end

local polled = pool:apply_async(double, { 21 })
while not polled:ready() do process.sleep(0.005) end
print("polling", polled:get())

local waited = pool:apply_async(double, { 21 })
print("waiting", waited:wait(), waited:get())

local got, failed
pool:apply_async(double, { 21 }, nil, { callback = function(value) got = value end })
pool:apply_async(error, { "no luck", 0 }, nil, {
  callback = function() got = "never called" end,
  error_callback = function(e) failed = e.value end,
})
pool:close()
pool:join() -- callbacks have been called, in this process, when it returns
print("callback", got)
print("error callback", failed)
