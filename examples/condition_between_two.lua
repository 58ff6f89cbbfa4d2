-- A condition: a lock, and a place to wait until what it guards is as one wants it. Here a table
-- with room for two plates, between a cook and a guest.

local process = require "process"

local ROOM <const>, PLATES <const> = 2, 6

local changed, plates = process.Condition(), process.Queue()

local function cook()
  for i = 1, PLATES do
    local held <close> = changed:hold()
    changed:wait_for(function() return plates:qsize() < ROOM end)
    plates:put(i)
    changed:notify()
  end
end

local cooking = process.Process(cook):start()
local most = 0
for i = 1, PLATES do
  local held <close> = changed:hold()
  changed:wait_for(function() return not plates:empty() end)
  most = math.max(most, plates:qsize())
  print("plate", plates:get() == i)
  changed:notify()
end
cooking:join()
print("never more than room for", most <= ROOM)

-- A notification that nobody waits for is not remembered.
changed:acquire()
changed:notify_all()
print("later", changed:wait(0.01))
print("held again", changed:locked())
changed:release()
