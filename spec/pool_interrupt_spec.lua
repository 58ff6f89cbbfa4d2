-- Pool: an interrupt between two instructions of a call. It is sent after n instructions, for more
-- and more n until the call is through; the script that catches it goes on with the pool.

local support = require "spec.support"

-- What the programs have at hand: sweep(call[, after]) and, in `blame`, who was interrupted.
local HARNESS = [[
  local signal = require "posix.signal"
  local me, blame = process.getpid(), nil

  -- As pcall, with an interrupt after n instructions. Last comes whether it was sent.
  local function interrupted_at(n, f, ...)
    local sent = false
    local function strike()
      debug.sethook()
      if process.getpid() ~= me then return end -- a worker that began its life meanwhile
      sent = true
      signal.kill(me, signal.SIGINT)
    end
    local function handler(message)
      blame = debug.getinfo(2, "S").short_src .. debug.getinfo(3, "S").short_src
      return message
    end
    local ok, message
    blame = ""
    pcall(function(...)
      debug.sethook(strike, "", n)
      ok, message = xpcall(f, handler, ...)
      debug.sethook()
    end, ...)
    pcall(process.sleep, 0) -- one that has not struck yet does so here
    pcall(process.sleep, 0)
    return ok, message, sent
  end

  local pool <close> = process.Pool(2)
  local function double(x) return 2 * x end

  -- Calls call(state) with an interrupt at every fifth place, then after(state), and from time to
  -- time the pool once more. What went wrong, or "whole" and whether there were many places.
  local function sweep(call, after)
    local n, sent = 0, true
    while sent do
      n = n + 5
      local state = {}
      local ok, message
      ok, message, sent = interrupted_at(n, call, state)
      if ok == false and not tostring(message):find("interrupted!", 1, true) then
        return ("error at %d: %s"):format(n, message)
      end
      local fault = after and after(state)
      if fault then return ("at %d (%s): %s"):format(n, blame, fault) end
      if n % 40 == 0 or not sent then
        local list = pool:map(double, { 1, 2, 3 }, { retries = 3 })
        if list[1] ~= 2 or list[3] ~= 6 then return "wrong results at " .. n end
        eventually(function() return pool:stats().outstanding == 0 end)
      end
    end
    return "whole", n > 200
  end
]]

describe("an interrupt at any instruction", function()
  local out = support.fixture(HARNESS .. [[
    report("apply", sweep(function() return pool:apply(double, { 1 }) end))
    report("closure", sweep(function(state) return pool:apply(function() return state end) end))
    report("apply_async", sweep(function()
      return pool:apply_async(double, { 1 }, nil, { callback = function() end }):get()
    end))
    report("unsendable", sweep(function()
      local ok, message = pcall(pool.apply_async, pool, double, { coroutine.create(print) })
      if not ok and not tostring(message):find("cannot send", 1, true) then error(message, 0) end
      ok, message = pcall(pool.map, pool, double, { 1, 2, coroutine.create(print) }, 1)
      if not ok and not tostring(message):find("cannot send", 1, true) then error(message, 0) end
    end))
    report("map", sweep(function() return pool:map(double, { 1, 2, 3, 4, 5 }, 2) end))
    report("iterator", sweep(function()
      local i = 0
      return pool:map(double, function() i = i + 1 return i < 5 and i or nil end, 2)
    end))
    report("close", sweep(function(state)
      state.it = pool:imap(double, { 1, 2, 3, 4, 5, 6, 7 })
      state.it()
      state.it:close()
    end, function(state)
      if state.it then state.it:close() end
    end))
  ]])

  for _, name in ipairs { "apply", "closure", "apply_async", "unsendable", "map", "iterator",
    "close" } do
    it("leaves a pool whole: " .. name, function() assert.equal("whole true", out[name]) end)
  end
end)

-- An item that was given out when the interrupt struck may be lost, as nobody knows whether it
-- arrived; that is four instructions for each. All others are still there.
describe("an interrupt in an imap", function()
  local out = support.fixture(HARNESS .. [[
    local COUNT <const> = 8
    local function check(name, begin)
      local lost = 0
      report(name, sweep(function(state)
        state.seen, state.count = {}, 0
        state.it = begin()
        for i in state.it do state.seen[i], state.last = true, i end
      end, function(state)
        if not state.it then return end
        local outside = not blame:find("process/", 1, true)
        for i, v in state.it do
          if state.seen[i] then return "twice: " .. i end
          if v ~= 2 * i then return "wrong: " .. i end
          state.seen[i] = true
        end
        local missing = 0
        for i = 1, COUNT do missing = missing + (state.seen[i] and 0 or 1) end
        if missing > 1 then return missing .. " lost" end
        if not outside then lost = lost + missing end
      end))
      report(name .. " lost", lost <= 2 * COUNT and "few" or lost)
    end
    check("ordered", function() return pool:imap(double, { 1, 2, 3, 4, 5, 6, 7, 8 }) end)
    check("unordered", function()
      return pool:imap_unordered(double, { 1, 2, 3, 4, 5, 6, 7, 8 }, 3)
    end)
  ]])

  for _, name in ipairs { "ordered", "unordered" } do
    it("loses no result that was not given out: " .. name, function()
      assert.equal("whole true", out[name])
      assert.equal("few", out[name .. " lost"])
    end)
  end
end)

describe("an interrupt while a worker dies", function()
  local out = support.fixture(HARNESS .. [[
    report("death", sweep(function()
      local victim = pool:stats().workers[1].pid
      if victim then signal.kill(victim, signal.SIGKILL) end
      return pool:map(double, { 1, 2, 3, 4 }, { chunksize = 1, retries = 3 })
    end))
  ]])

  it("does not keep the pool from hearing of it", function()
    assert.equal("whole true", out.death)
  end)
end)

describe("an interrupt in a finalizer", function()
  local out = support.fixture [[
    local core, signal = require "process.core", require "posix.signal"
    local function strike() signal.kill(process.getpid(), signal.SIGINT) end
    report("raised", try(function()
      setmetatable({}, { __gc = function() core.unbroken(strike) end })
      collectgarbage()
      for _ = 1, 10 do collectgarbage "count" end
    end))
  ]]

  it("is raised behind it", function() support.mentions(out.raised, "interrupted!") end)
end)

describe("a child that is started where the parent must not be interrupted", function()
  local out = support.fixture [[
    local core, signal = require "process.core", require "posix.signal"
    local ready, child = process.Event(), nil
    core.unbroken(function()
      child = process.Process(function()
        ready:set()
        local till = process.now() + 60
        while process.now() < till do end
      end):start()
    end)
    ready:wait()
    signal.kill(child.pid, signal.SIGINT)
    report("ended", child:join(30), child.exitcode ~= 0)
    child:kill()
  ]]

  it("can be interrupted", function() assert.equal("true true", out.ended) end)
end)
