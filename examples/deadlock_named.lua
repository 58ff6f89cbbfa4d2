-- Two processes that want each other's lock wait for ever, elsewhere. Here the one that came last
-- gets an error, which says who holds what and who waits for what. The other one goes on.

local process = require "process"

local ledger = process.Lock{ name = "ledger" }
local journal = process.Lock{ name = "journal" }

local clerk = process.Process{ name = "clerk", target = function()
  journal:with(function()
    ledger:with(print, "clerk: has both") -- main has the ledger, and will want the journal
  end)
end }

ledger:acquire()
clerk:start()

-- Until the clerk waits for us; what a process waits for can be asked at any time.
local waits
repeat
  process.sleep(0.01)
  local second = process.stats().processes[2]
  waits = second and second.waits
until waits
print("clerk: " .. waits)

local ok, message = pcall(journal.acquire, journal)
print("main: has the journal", ok)
print(message)

ledger:release() -- the way out: give up what one holds, and try again
clerk:join()
print("main: has the journal", journal:acquire())
