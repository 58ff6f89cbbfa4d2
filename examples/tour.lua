-- A tour: a class of processes, a lock, a queue, a killed lock holder, exit codes.

local process = require "process"

local function title(text) print("\n== " .. text) end

title("Processes: a class of one's own, three at the same time")
local Greeter = process.Process:extend("Greeter")
function Greeter:init(word) self.word = word end
function Greeter:run()
  process.sleep(0.1)
  print(("  %s says %s; its pid is %d"):format(self.name, self.word, self.pid))
end
local begin = process.now()
local greeters = {}
for i, word in ipairs{ "hello", "salve", "moin" } do greeters[i] = Greeter(word):start() end
for _, p in ipairs(greeters) do p:join() end
print(("  each took 0.1 s, all together %.2f s"):format(process.now() - begin))

title("A queue: one producer, two consumers")
local numbers, squares = process.Queue(), process.Queue()
local function consume()
  for n in numbers:items() do squares:put(n * n) end
end
local consumers = { process.Process(consume):start(), process.Process(consume):start() }
process.Process(function()
  for n = 1, 100 do numbers:put(n) end
  numbers:shutdown() -- the consumers' loops end when all is got
end):start():join()
for _, p in ipairs(consumers) do p:join() end
local sum = 0
for _ = 1, squares:qsize() do sum = sum + squares:get() end
print("  the squares of 1 to 100 add up to " .. sum)

title("A lock, and a holder that is killed")
local lock, ready = process.Lock(), process.Event()
local holder = process.Process(function()
  lock:acquire()
  ready:set()
  process.sleep(60)
end):start()
ready:wait()
print("  the child has the lock: " .. tostring(lock:locked()))
holder:kill()
local _, news = lock:acquire()
print("  it was killed, and nobody is stuck: the lock is mine, " .. news)
lock:release()

title("How they ended")
holder:join()
local polite = process.Process(function() os.exit(3) end):start()
polite:join()
print("  done", greeters[1].exitcode, "os.exit(3)", polite.exitcode, "kill -9", holder.exitcode)
print("\nMore: examples/README.md")
