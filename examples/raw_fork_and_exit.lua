-- A raw fork in a loop, with children that leave at once: 3 hellos, and main alone goes on.

local process = require "process"

for _ = 1, 3 do
  if process.fork() == 0 then
    print("hello")
    os.exit()
  end
end
print("main end")
