-- A worker that dies fails its task, or repeats it, and nothing else.

local process = require "process"

local pool <close> = process.Pool(2)
local tries = process.Value("i", 0)

local function risky(n)
  if n == 3 then
    tries:add(1)
    os.exit(7) -- or a crash, or the kernel's out-of-memory killer
  end
  return n * n
end

for i, value, failure in pool:imap(risky, { 1, 2, 3, 4 }, { errors = "yield" }) do
  print(i, value, failure and failure.kind)
end

local ok, failure = pcall(pool.map, pool, risky, { 1, 2, 3, 4 }, { retries = 2 })
print(ok, failure.index, failure)
print("tries", tries.value)
print("workers", #process.active_children())
