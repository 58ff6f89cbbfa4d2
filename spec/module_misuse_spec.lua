-- The module's functions called with a colon, as if they were methods: each that takes an argument
-- says that a dot is meant, and none takes the module for its data.

local support = require "spec.support"

describe("a function of the module called with a colon", function()
  local out = support.fixture [[
    -- These ignore arguments, or are no functions.
    local indifferent = { RemoteError = true, active_children = true, cpu_count = true,
      current_process = true, fork = true, getpid = true, getppid = true, now = true,
      parent_process = true, stats = true }
    local silent, n = {}, 0
    for name in pairs(process) do
      if not indifferent[name] then
        for _, more in ipairs{ "", "5", "'x'", "{}", "print" } do
          if name ~= "dumps" or more ~= "" then
            local call = load(("local process = ...; local x = process:%s(%s)"):format(name, more))
            local message = try(call, process)
            n = n + 1
            if not (message:find("the module itself; use a dot", 1, true) and
                message:find(name, 1, true)) then
              silent[#silent + 1] = name .. " " .. more .. " " .. message
            end
          end
        end
      end
    end
    report("colons", n > 100, table.concat(silent, "; "))
    report("place", try(function() local _ = process:dict{ a = 1 } end))
    report("in C", try(function() local _ = process:Queue() end))
    report("type", try(function() process:sleep(1) end))
    report("module", process)
    report("sent", process.loads(process.dumps(process)) == process)
  ]]

  it("says so", function() assert.equal("true ", out.colons) end)
  it("names place, function and what is wrong", function()
    assert.truthy(out.place:find("^%S+:%d+: bad argument #1 to 'dict' %(the module itself"))
    assert.truthy(out["in C"]:find("^%S+:%d+: calling 'Queue' on bad self %(the module itself"))
    support.mentions(out.type, "number expected, got the module itself; use a dot")
  end)
  it("leaves the module a value as any", function()
    assert.equal("module 'process'", out.module)
    assert.equal("true", out.sent)
  end)
end)

describe("what is called through pcall", function()
  local out = support.fixture [[
    local c, other = process.Pipe()
    report("connection", try(c.send), try(c.recv_bytes, c, 1, 2, 3), try(other.close, 5))
    report("fd", try(process.fd(1).fileno))
    local wrong = {}
    for _, name in ipairs{ "Value", "Array", "RawValue", "RawArray", "Queue", "JoinableQueue",
        "SimpleQueue", "Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event",
        "Barrier", "Pipe", "Manager", "fd", "loads", "register", "sleep" } do
      local message = try(process[name], print)
      if not message:find("'process." .. name .. "'", 1, true) then wrong[#wrong + 1] = message end
    end
    report("names", table.concat(wrong, "; "))
    report("core", process.sleep == require "process.core".sleep)
    report("shutdown", try(function() process.Manager().shutdown() end))
  ]]

  it("is named as scripts do", function()
    support.mentions(out.connection, "#1 to 'process.Connection.send' (Connection expected",
      "#3 to 'process.Connection.recv_bytes'", "'process.Connection.close'")
    support.mentions(out.fd, "'process.fd.fileno' (fd expected")
    assert.equal("", out.names)
    assert.equal("true", out.core)
  end)
  it("names no place in the module", function()
    assert.truthy(out.shutdown:find("^%S+:%d+: bad argument #1 to 'shutdown' %(Manager expected"))
    assert.falsy(out.shutdown:find("process/manager", 1, true))
  end)
end)

describe("a timeout or a duration", function()
  local out = support.fixture [[
    local lock, event, condition = process.Lock(), process.Event(), process.Condition()
    local queue, joinable, c = process.Queue(), process.JoinableQueue(), process.Pipe()
    local value, p = process.Value "i", process.Process(print):start()
    local dict = process.dict{}
    condition:acquire()
    local pool = process.Pool(1)
    local result = pool:apply_async(print)
    local waits = {
      sleep = function(t) process.sleep(t) end,
      join = function(t) p:join(t) end,
      wait = function(t) process.wait({ event }, t) end,
      acquire = function(t) lock:acquire(true, t) end,
      hold = function(t) lock:hold(t) end,
      value = function(t) value:get_lock():acquire(true, t) end,
      event = function(t) event:wait(t) end,
      condition = function(t) condition:wait(t) end,
      ["wait_for"] = function(t) condition:wait_for(function() return false end, t) end,
      barrier = function(t) process.Barrier(2):wait(t) end,
      Barrier = function(t) process.Barrier(2, nil, t) end,
      get = function(t) queue:get(true, t) end,
      put = function(t) queue:put(1, true, t) end,
      ["queue's join"] = function(t) joinable:join(t) end,
      poll = function(t) c:poll(t) end,
      change = function(t) process.dict.wait_change(dict, "a", t) end,
      result = function(t) result:get(t) end,
      ["result's wait"] = function(t) result:wait(t) end,
      ["pool's option"] = function(t) pool:apply_async(print, {}, nil, { timeout = t }) end,
    }
    local taken = {}
    for name, f in pairs(waits) do
      local text, nan = try(f, "0.1"), try(f, 0 / 0)
      if not text:find "number" or nan == "no error" then
        taken[#taken + 1] = name .. ": " .. text .. ", " .. nan
      end
    end
    report("taken", table.concat(taken, "; "))
    pool:terminate()
    p:join()
  ]]

  it("is a number, never a string", function() assert.equal("", out.taken) end)
end)
