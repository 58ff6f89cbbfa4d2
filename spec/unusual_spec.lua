-- Use at unusual moments: by finalizers, after a damaged item, without room, under a debug hook.

local support = require "spec.support"

local SIGINT = 2

describe("an object used after the collector has given it up", function()
  it("is an error of that use", function()
    local result = support.run [[
      local late = setmetatable({}, { __gc = function(self)
        print(pcall(self.lock.acquire, self.lock))
        print(pcall(self.queue.put, self.queue, 1))
      end })
      late.lock, late.queue = process.Lock(), process.Queue()
      os.exit(0, true)
    ]]
    assert.equal(0, result.status, result.stderr)
    local _, lines = result.stdout:gsub("false\t[^\n]*given up", "")
    assert.equal(2, lines, result.stdout)
  end)
end)

describe("get_many with an item that cannot be decoded", function()
  -- The sender registers a metatable after the receiver was forked.
  local out = support.fixture [[
    local q, go = process.Queue(), process.Event()
    local p = process.Process(function()
      go:wait()
      local list = q:get_many(10)
      report("before", list.n, list[1], list[2])
      report("left", q:qsize())
      report("damaged", try(q.get_many, q, 10))
      list = q:get_many(10)
      report("after", list.n, list[1], list[2][1], q:qsize())
    end):start()
    local Point = {}
    process.register("Point", Point)
    q:put_many{ 1, 2, setmetatable({}, Point), 4, { 5 } }
    go:set()
    p:join()
    report("code", p.exitcode)
  ]]

  it("gives what comes before it", function() assert.equal("2 1 2", out.before) end)
  it("keeps it and what comes after it", function() assert.equal("3", out.left) end)
  it("raises when it is the first", function() assert.matches("Point", out.damaged) end)
  it("goes on after it", function() assert.equal("2 4 5 0", out.after) end)
  it("is no end of the process", function() assert.equal("0", out.code) end)
end)

describe("put_many without room in shared memory", function()
  local out = support.fixture([[
    local q, list = process.Queue(), {}
    for i = 1, 100000 do list[i] = ("x"):rep(100) end
    local message = try(q.put_many, q, list)
    report("error", message)
    report("told", tonumber(message:match "first (%d+) of 100000") == q:qsize(), q:qsize() > 0)
  ]], { env = { MPL_SHM_SIZE = "2M" } })

  it("raises", function() assert.matches("out of shared memory", out.error) end)
  it("says how many items were put", function() assert.equal("true true", out.told) end)
end)

describe("a debug hook of the script", function()
  local out = support.fixture [[
    local posix = { kill = require("posix.signal").kill }
    local function mine() end
    debug.sethook(mine, "", 1000000)
    local ok, message = pcall(function()
      posix.kill(process.getpid(), 2)
      while true do end
    end)
    local hook, _, count = debug.gethook()
    report("interrupted", ok, message:match "interrupted")
    report("hook", hook == mine, count)
  ]]

  it("does not keep an interrupt away", function()
    assert.equal("false interrupted", out.interrupted)
  end)
  it("is back after it", function() assert.equal("true 1000000", out.hook) end)
end)

describe("an interrupt of main alone", function()
  it("reaches the children of its children", function()
    local run = support.start [[
      local ready = process.Event()
      process.Process(function()
        process.Process(function()
          ready:set()
          process.sleep(1000)
        end):start()
        process.sleep(1000)
      end):start()
      ready:wait()
      print "ready"
      process.sleep(1000)
    ]]
    run:wait_for "ready\n"
    run:wait_asleep():signal "INT"
    local result = run:finish() -- fails if a process is left
    assert.equal(SIGINT, result.signal)
  end)
end)

describe("a raw fork in a process", function()
  it("ends as a main program does", function()
    local out = support.fixture [[
      local p = process.Process(function()
        local wait = require "posix.sys.wait".wait
        local pid = process.fork()
        if pid == 0 then
          local _ = setmetatable({}, { __gc = function() report("state", "closed") end })
          os.exit(5, true)
        end
        report("code", select(3, wait(pid)))
      end):start()
      p:join()
    ]]
    assert.equal("closed", out.state)
    assert.equal("5", out.code)
  end)
end)

describe("a table of options without a name", function()
  local out = support.fixture [[
    report("made", process.Lock{}:locked(), process.Event{}:is_set(),
      process.Queue{ maxsize = 1 }:full())
  ]]

  it("makes the object as usual", function() assert.equal("false false false", out.made) end)
end)
