-- A thousand children, and a hundred killed after a millisecond: exact exit codes, nothing leaked.

local support = require "spec.support"

-- Every fixture here counts before and after the same kind of work; the first round is to warm up.
local COUNTS = [[
  local function counts()
    collectgarbage()
    collectgarbage()
    local stats = process.stats()
    return {
      descriptors = fx.descriptors(), maps = fx.maps(), children = fx.children(),
      bytes = stats.arena.used, objects = stats.objects, processes = stats.processes,
    }
  end
  local function measure(work)
    work(1)
    local before = counts()
    work(2)
    local after = counts()
    for name, n in pairs(before) do report(name, n == after[name], n, after[name]) end
  end
]]

local COUNTED = { "descriptors", "maps", "children", "bytes", "objects", "processes" }

local function leaks_nothing(out)
  for _, name in ipairs(COUNTED) do
    it("leaks nothing: " .. name, function() assert.matches("^true ", out[name]) end)
  end
end

describe("a thousand children started and joined", function()
  local out = support.fixture(COUNTS .. [[
    local wrong = 0
    measure(function(round)
      local batch = {}
      for i = 1, round == 1 and 100 or 1000 do
        batch[#batch + 1] = { process.Process(os.exit, i):start(), i % 256 }
        if #batch == 20 then
          for _, pair in ipairs(batch) do
            pair[1]:join()
            if pair[1].exitcode ~= pair[2] then wrong = wrong + 1 end
          end
          batch = {}
        end
      end
    end)
    report("wrong", wrong, #process.active_children())
  ]])

  it("have exact exit codes", function() assert.equal("0 0", out.wrong) end)
  leaks_nothing(out)
end)

describe("a hundred children killed about a millisecond after their start", function()
  local out = support.fixture(COUNTS .. [[
    local q, lock, event = process.Queue(), process.Lock(), process.Event()
    local wrong = 0
    local function work()
      while true do
        local held <close> = lock:hold()
        q:put{ "some", { "item" } }
        event:set()
        process.Queue():put(process.Lock())
        q:get(0)
        event:clear()
      end
    end
    measure(function(round)
      for i = 1, round == 1 and 20 or 100 do
        local p = process.Process(work):start()
        local moment = process.now() + 0.0005 + (i % 10) * 0.0001
        while process.now() < moment do end
        p:kill()
        p:join()
        if p.exitcode ~= -9 then wrong = wrong + 1 end
      end
      if not lock:acquire(30) then wrong = wrong + 1 end
      lock:release()
      while q:get_many(100, 0) do end
    end)
    report("wrong", wrong, lock:locked(), q:empty(), #process.active_children())
  ]])

  it("have exact exit codes, and leave what they used working", function()
    assert.equal("0 false true 0", out.wrong)
  end)
  leaks_nothing(out)
end)

describe("children killed at once, with children and messages of their own", function()
  local out = support.fixture(COUNTS .. [[
    local q, alone = process.Queue(), process.stats().processes
    measure(function(round)
      for i = 1, round == 1 and 10 or 40 do
        local p = process.Process(function()
          process.Process{ daemon = true, target = process.sleep, args = { 100 } }:start()
          while true do q:put{ process.Queue(), process.Lock() } end
        end):start()
        local moment = process.now() + (i % 10) * 0.0003
        while process.now() < moment do end
        p:kill()
        p:join()
        while q:get_many(100, 0) do end
      end
      -- The daemons of the killed die on their own, a moment later.
      eventually(function()
        process.active_children()
        return process.stats().processes == alone
      end)
    end)
  ]])

  leaks_nothing(out)
end)

describe("queues, locks and events made and given up", function()
  local out = support.fixture(COUNTS .. [[
    measure(function(round)
      for i = 1, round == 1 and 50 or 2000 do
        local q = process.Queue()
        q:put{ process.Lock(), process.Event(), { q }, ("x"):rep(i) }
        if i % 3 == 0 then q:get() end
        if i % 11 == 0 then q:shutdown(i % 2 == 0) end
        if i % 7 == 0 then q:close() end
        if i % 100 == 0 then collectgarbage() end
      end
    end)
  ]])

  leaks_nothing(out)
end)

describe("raw forks", function()
  local out = support.fixture(COUNTS .. [[
    local wait = require "posix.sys.wait".wait
    local q, wrong = process.Queue(), 0
    measure(function(round)
      for i = 1, round == 1 and 20 or 100 do
        local pid = process.fork()
        if pid == 0 then
          q:put(i)
          if i % 2 == 0 then fx.die "KILL" end
          os.exit(0)
        end
        local _, how = wait(pid)
        if q:get(0) ~= i or how ~= (i % 2 == 0 and "killed" or "exited") then wrong = wrong + 1 end
      end
    end)
    report("wrong", wrong)
  ]])

  it("end as told", function() assert.equal("0", out.wrong) end)
  leaks_nothing(out)
end)
