-- Shared memory of a dict: bytes for each of a million entries, an integer to a short string, and
-- what of it is left after `clear`: of large free blocks the arena keeps 64 MiB or more for what
-- comes next. Not in the table of run.lua: nothing is timed.
--
--   ./mpl bench/dict_memory.lua [entries]

local process = require "process"

local N <const> = math.tointeger(arg[1]) or 1000000

-- Bytes in use, and bytes that the system has given to the program's shared memory.
local function memory()
  local resident = io.open "/proc/self/smaps_rollup":read "a":match "Pss_Shmem:%s*(%d+)"
  return process.stats().arena.used, tonumber(resident) * 1024
end

local d <const> = process.dict()
local used, resident = memory()
local function report(what)
  local used_now, resident_now = memory()
  print(("%-18s %8.1f bytes an entry in use, %8.1f from the system"):format(what,
    (used_now - used) / N, (resident_now - resident) / N))
end

for i = 1, N do d[i] = ("text %d"):format(i) end
report(("%d entries"):format(#d))
for i = 1, N, 2 do d[i] = nil end
report(("%d entries"):format(#d))
process.dict.clear(d)
report("after clear")
