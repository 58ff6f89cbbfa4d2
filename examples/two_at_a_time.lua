-- A semaphore lets so many in at once, here two of five; a bounded one notices a release too many.

local process = require "process"

local seats = process.BoundedSemaphore(2)
local inside = process.Queue() -- one item for each who is inside

local function guest(name)
  local held <close> = seats:hold()
  inside:put(name)
  local company = inside:qsize()
  process.sleep(0.01)
  inside:get()
  print(company <= 2 and "at most two" or "a crowd")
end

local list = {}
for i = 1, 5 do list[i] = process.Process(guest, i):start() end
for _, p in ipairs(list) do p:join() end

print("free seats", seats:get_value(), seats)
print("one too many", (pcall(seats.release, seats)))

print(seats:acquire(), seats:acquire(), seats:locked())
print("no seat", seats:acquire(false))
print("no seat for a while", seats:acquire(0.01))
