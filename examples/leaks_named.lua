-- With MPL_LEAKS=1 in its environment a program lists at its end which shared objects somebody
-- still refers to, by name or by the line that made them.

local process = require "process"

if os.getenv "MPL_LEAKS" ~= "1" then
  -- Once more, with the variable; its list goes to our output.
  local command = ("MPL_LEAKS=1 '%s' '%s' 2>&1"):format(arg[-1], arg[0])
  local pipe = io.popen(command)
  io.write(pipe:read "a")
  pipe:close()
  return
end

local function work()
  local scratch = process.Queue() -- local: given up with the function
  scratch:put("something")
  cache = process.Lock{ name = "cache" } -- luacheck: ignore (a global, and so for ever)
  outbox = process.Queue() -- luacheck: ignore (and nobody empties it)
  outbox:put(process.Event{ name = "reply" }) -- luacheck: ignore
end

work()
collectgarbage() -- what is given up goes when the collector comes by

for kind, n in pairs(process.stats().objects) do
  if kind == "Queue" then print(kind, n) end
end
