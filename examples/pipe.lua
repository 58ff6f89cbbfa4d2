-- A pipe connects two processes: what goes in at one end comes out at the other.

local process = require "process"

local mine, theirs = process.Pipe()

local child = process.Process(function()
  theirs:send{ 42, nil, "hello", n = 3 }
  print("the child got", theirs:recv())
end):start()
theirs:close() -- only the child uses it

local message = mine:recv()
print("main got", message[1], message[2], message[3])
mine:send("thanks")
print("then", mine:recv()) -- nobody has the other end any more
child:join()

-- One way only: the reader comes first.
local reader, writer = process.Pipe(false)
local sender = process.Process(function()
  for i = 1, 3 do writer:send("line " .. i) end
end):start()
writer:close()
for line in function() return (reader:recv()) end do print(line) end
sender:join()
