-- A thousand children, and a hundred killed after a millisecond: exact exit codes, nothing leaked.

local support = require "spec.support"

-- Every program here does the same work again and again: after the second time the tables of the
-- arena are as large as they get, and the third must leave everything as it found it.
local COUNTS = [[
  local function count(kinds)
    local n = 0
    for _, of_kind in pairs(kinds) do n = n + of_kind end
    return n
  end
  local function counts()
    local stats = process.stats()
    return {
      descriptors = fx.descriptors(), maps = fx.maps(), children = fx.children(),
      bytes = stats.arena.used, objects = count(stats.objects), processes = #stats.processes,
    }
  end
  local alone = #process.stats().processes
  -- Those who die without a parent that joins them are cleaned up after as others start.
  local function settled()
    collectgarbage()
    collectgarbage()
    return eventually(function()
      process.Process(function() end):start():join()
      return #process.stats().processes == alone
    end)
  end
  local function measure(work)
    work()
    work()
    local before, after = settled() and counts(), nil
    -- A block may be a few bytes larger than asked for, now and then; what leaks stays.
    for _ = 1, 3 do
      work()
      after = settled() and counts()
      if after.bytes <= before.bytes then break end
    end
    for name, n in pairs(before) do
      local same = n == after[name] or name == "bytes" and after[name] < n
      report(name, same, n, after[name])
    end
  end
]]

local COUNTED = { "descriptors", "maps", "children", "bytes", "objects", "processes" }

local function leaks_nothing(out)
  for _, name in ipairs(COUNTED) do
    if name ~= "maps" or not support.sanitized then
      it("leaks nothing: " .. name, function() assert.matches("^true ", out[name]) end)
    end
  end
end

describe("a thousand children started and joined", function()
  local out = support.fixture(COUNTS .. [[
    local wrong = 0
    measure(function()
      local batch = {}
      for i = 1, 1000 do
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
    local wrong = 0
    local function work(q, lock, event)
      for n = 1, math.huge do
        if n % 8 == 0 then collectgarbage() end
        local held <close> = lock:hold()
        q:put{ "some", { "item" } }
        event:set()
        process.Queue():put(process.Lock())
        q:get(0)
        event:clear()
      end
    end
    measure(function()
      local q, lock, event = process.Queue(), process.Lock(), process.Event()
      for i = 1, 100 do
        local p = process.Process(work, q, lock, event):start()
        local moment = process.now() + 0.0005 + (i % 10) * 0.0001
        while process.now() < moment do end
        p:kill()
        p:join()
        if p.exitcode ~= -9 then wrong = wrong + 1 end
      end
      if not lock:acquire(30) then wrong = wrong + 1 end
      lock:release()
      if lock:acquire() ~= true or lock:abandoned() then wrong = wrong + 1 end
    end)
    report("wrong", wrong, #process.active_children())
  ]])

  it("have exact exit codes, and leave what they used working", function()
    assert.equal("0 0", out.wrong)
  end)
  leaks_nothing(out)
end)

describe("children killed at once, with children and messages of their own", function()
  local out = support.fixture(COUNTS .. [[
    measure(function()
      local q, ready = process.Queue(40), process.Event()
      for i = 1, 40 do
        ready:clear()
        local p = process.Process(function()
          process.Process{ daemon = true, target = process.sleep, args = { 100 } }:start()
          ready:set()
          for n = 1, math.huge do
            if n % 8 == 0 then collectgarbage() end
            q:put{ process.Queue(), process.Lock() }
          end
        end):start()
        ready:wait()
        local moment = process.now() + (i % 10) * 0.0003
        while process.now() < moment do end
        p:kill()
        p:join()
        if i % 2 == 0 then while q:get_many(100, 0) do end end
      end
    end)
  ]])

  leaks_nothing(out)
end)

describe("queues, locks and events made and given up", function()
  local out = support.fixture(COUNTS .. [[
    measure(function()
      for i = 1, 2000 do
        local q = process.Queue()
        q:put{ process.Lock(), process.Event(), { process.Queue() }, ("x"):rep(i) }
        if i % 3 == 0 then q:get() end
        if i % 11 == 0 then q:shutdown(i % 2 == 0) end
        if i % 7 == 0 then q:close() end
        if i % 100 == 0 then collectgarbage() end
      end
    end)
  ]])

  leaks_nothing(out)
end)

describe("objects made, and had from others, while a child lives", function()
  local out = support.fixture(COUNTS .. [[
    measure(function()
      local q, go = process.Queue(), process.Event()
      for _ = 1, 200 do
        local p = process.Process(function()
          q:put{ process.Lock() }
          go:wait()
        end):start()
        local kept = { process.Queue(), q:get() }
        kept = nil
        collectgarbage()
        go:set()
        p:join()
        go:clear()
      end
    end)
  ]])

  leaks_nothing(out)
end)

describe("raw forks", function()
  local out = support.fixture(COUNTS .. [[
    local wait = require "posix.sys.wait".wait
    local wrong = 0
    measure(function()
      local q = process.Queue()
      for i = 1, 100 do
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
