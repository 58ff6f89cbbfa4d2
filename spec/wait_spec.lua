-- process.wait: many things, one sleep.

local support = require "spec.support"

local PROGRAM = [[
  local function names(ready, of)
    local words = {}
    for i, object in ipairs(ready) do words[i] = of[object] end
    return #ready, table.concat(words, " ")
  end
  local e, q = process.Event(), process.Queue()
  local go = process.Queue()
  local p = process.Process(function() while go:get() do end end):start()
  local of = { [e] = "event", [q] = "queue", [p] = "process" }
  report("nothing", names(process.wait({ e, q, p }, 0.02), of))
  report("zero", names(process.wait({ e, q, p }, 0), of))
  report("empty list", #process.wait({}, 0.01), try(process.wait, {}))
  local function later(f, ...)
    local args = table.pack(...)
    return process.Process(function()
      process.sleep(0.05)
      f(table.unpack(args))
    end):start()
  end
  local helpers = { later(q.put, q, 1) }
  report("queue", names(process.wait { e, q, p }, of))
  report("still there", names(process.wait { q }, of))
  q:get()
  helpers[2] = later(e.set, e)
  report("event", names(process.wait { e, q, p }, of))
  e:clear()
  helpers[3] = later(go.put, go, false)
  report("process", names(process.wait { e, q, p }, of))
  report("again", names(process.wait { p, p }, of))
  e:set() q:put(1)
  report("all", names(process.wait { p, q, e, q }, of))
  e:clear() q:get()
  for _, helper in ipairs(helpers) do helper:join() end
  local sleeper = process.Process(function() process.sleep(100) end):start()
  local fd = sleeper.sentinel
  of[fd] = "sentinel"
  report("descriptor waits", names(process.wait({ fd, e, q }, 0.02), of))
  local helper = later(q.put, q, 2)
  report("queue beside descriptor", names(process.wait { fd, e, q }, of))
  q:get() helper:join()
  helper = later(function() end)
  sleeper:kill()
  report("descriptor", names(process.wait { fd, e, q }, of))
  sleeper:join() helper:join()
  q:shutdown()
  report("shut down", names(process.wait { q, e }, of))
  local events, index = {}, 700
  for i = 1, 1000 do events[i] = process.Event() end
  helper = later(function() events[index]:set() end)
  local ready = process.wait(events)
  report("thousand", #ready, ready[1] == events[index])
  events[index]:clear()
  helper:join()
  local spare = process.Process(function() process.sleep(100) end):start()
  events[1001] = spare.sentinel
  helper = process.Process(function() process.sleep(0.5) events[3]:set() end):start()
  local before = os.clock()
  ready = process.wait(events)
  report("thousand beside a descriptor", #ready, ready[1] == events[3], os.clock() - before < 0.2)
  helper:join()
  spare:kill()
  local told = process.Queue()
  local parent = process.Process(function()
    process.Process(function()
      local mine = process.parent_process()
      told:put("ready")
      local r = process.wait { mine }
      told:put(#r == 1 and r[1] == mine)
    end):start()
    process.sleep(100)
  end):start()
  told:get()
  parent:kill()
  report("parent", told:get(30))
  report("negative", try(process.wait, { -1 }))
  local pipe = io.popen "grep SigBlk /proc/self/status"
  report("mask", pipe:read "l")
  pipe:close()
  report("wrong", try(process.wait, { 1.5 }), try(process.wait, { {} }), try(process.wait, 5),
    try(process.wait, { process.Lock() }), try(process.wait, { process.Process(print) }))
]]

for without, env in pairs { [""] = {}, [" without futex_waitv"] = { MPL_NO_WAITV = "1" } } do
  describe("process.wait" .. without, function()
    local out = support.fixture(PROGRAM, { env = env })

    it("ends at the timeout with an empty list", function()
      assert.equal("0 ", out.nothing)
      assert.equal("0 ", out.zero)
      assert.equal("0 ", out["descriptor waits"])
    end)
    it("refuses to wait for nothing for ever", function()
      support.mentions(out["empty list"], "0 ", "nothing to wait for")
    end)
    it("wakes for queues, events and processes", function()
      assert.equal("1 queue", out.queue)
      assert.equal("1 event", out.event)
      assert.equal("1 process", out.process)
    end)
    it("takes nothing away", function() assert.equal("1 queue", out["still there"]) end)
    it("gives all that are ready, in the order of the list", function()
      assert.equal("4 process queue event queue", out.all)
      assert.equal("2 process process", out.again)
    end)
    it("waits for descriptors beside other things", function()
      assert.equal("1 queue", out["queue beside descriptor"])
      assert.equal("1 sentinel", out.descriptor)
    end)
    it("counts a queue that was shut down as ready", function()
      assert.equal("1 queue", out["shut down"])
    end)
    it("waits for a thousand things, without being busy", function()
      assert.equal("1 true", out.thousand)
      assert.equal("1 true true", out["thousand beside a descriptor"])
    end)
    it("waits for the parent", function() assert.equal("true", out.parent) end)
    it("leaves the signals of programs started later alone", function()
      assert.equal("SigBlk: 0000000000000000", (out.mask:gsub("%s+", " ")))
    end)
    it("refuses descriptors that are none", function()
      support.mentions(out.negative, "element 1, -1", "cannot be waited for")
    end)
    it("names what cannot be waited for", function()
      support.mentions(out.wrong, "element 1, 1.5", "list expected", "Lock", "not started")
    end)
  end)
end

describe("process.wait that is interrupted", function()
  for what, list in pairs { ["objects"] = "e", ["descriptors"] = "e, p.sentinel" } do
    it("raises while it waits for " .. what, function()
      local run = support.start(([[
        local e = process.Event()
        local p = process.Process{ daemon = true, target = function()
          pcall(process.sleep, 100)
          process.sleep(100)
        end }:start()
        print "waiting"
        print(select(2, pcall(process.wait, { %s })):match "interrupted!")
      ]]):format(list))
      run:wait_for "waiting"
      run:wait_asleep()
      run:signal("INT")
      assert.equal("waiting\ninterrupted!\n", run:finish().stdout)
    end)
  end
end)
