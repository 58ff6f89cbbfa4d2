-- A raw fork in a loop. The children go on with the loop and fork as well: 1 + 2 + 4 hellos.

local process = require "process"

-- Still in a buffer when the first fork comes, and yet written only once.
io.write("three forks\n")

for _ = 1, 3 do
  if process.fork() == 0 then
    print("hello")
  end
end
