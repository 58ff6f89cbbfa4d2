-- A barrier: processes wait for one another, round after round, and the last one to come acts.

local process = require "process"

local PARTIES <const>, ROUNDS <const> = 3, 3

local steps = process.Queue()
local barrier = process.Barrier(PARTIES, function()
  local n = 0
  while steps:get(false) do n = n + 1 end
  print("all are here, steps: " .. n)
end)

local function walker()
  for _ = 1, ROUNDS do
    steps:put("step")
    barrier:wait()
  end
end

local list = {}
for i = 1, PARTIES do list[i] = process.Process(walker):start() end
for _, p in ipairs(list) do p:join() end
print("waiting", barrier.n_waiting, "broken", barrier.broken)

-- One is late, and it is broken for everybody, until it is reset.
print("alone", barrier:wait(0.01))
print("broken", barrier.broken, barrier:wait())
barrier:reset()

-- So it is, at once, when one who waits is killed.
local got = process.Queue()
local function party() got:put(select(2, barrier:wait())) end
local first, second = process.Process(party):start(), process.Process(party):start()
while barrier.n_waiting < 2 do process.sleep(0.01) end
first:kill()
print("the other one", got:get())
first:join()
second:join()
