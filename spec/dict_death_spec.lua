-- dict: what happens when a process that changes it dies, or is interrupted.

local support = require "spec.support"

for how, last in pairs { ["is killed"] = "fx.die 'KILL'", ["exits"] = "os.exit(3)" } do
  describe("atomic whose process " .. how, function()
    local out = support.fixture(([[
      local dict = process.dict
      local d, inside = dict{ a = 1, b = 2 }, process.Event()
      local p = process.Process(function()
        dict.atomic(d, function()
          d.a, d.b, d.c = 10, nil, 30
          dict.incr(d, "a")
          inside:set()
          %s
        end)
      end):start()
      inside:wait()
      local waiter = process.Process(function()
        d.waited = true
        report("waiter", d.a, d.b, d.c)
      end):start()
      p:join()
      waiter:join()
      report("undone", d.a, d.b, d.c, #d, waiter.exitcode)
      report("goes on", dict.atomic(d, function()
        report("nothing left", d.a, d.c, #d)
        d.a = 2
        return "done"
      end), d.a)
    ]]):format(last))
    it("is undone", function() assert.equal("1 2 nil 3 0", out.undone) end)
    it("lets those who wait go on", function() assert.equal("1 2 nil", out.waiter) end)
    it("leaves a dict as others", function()
      assert.equal("1 nil 3", out["nothing left"])
      assert.equal("done 2", out["goes on"])
    end)
  end)
end

describe("processes killed while they write", function()
  local out = support.fixture [[
    local dict = process.dict
    local d = dict{ a = 0, b = 0 }
    for round = 1, 12 do
      local ready = process.Event()
      local p = process.Process(function()
        local i = 0
        while true do
          i = i + 1
          dict.atomic(d, function() d.a, d.b = d.a + 1, d.b + 1 end)
          d["k" .. i % 50] = ("x"):rep(i % 300)
          d["k" .. (i * 7) % 50] = nil
          dict.incr(d, "n")
          if i == 20 then ready:set() end
        end
      end):start()
      ready:wait()
      p:kill()
      p:join()
    end
    local n = 0
    for k, v in pairs(d) do
      n = n + 1
      assert(k:sub(1, 1) ~= "k" or v == ("x"):rep(#v))
    end
    report("whole", d.a == d.b, d.a >= 12 * 20, d.n >= 12 * 19, n == #d)
    dict.clear(d)
    report("cleared", #d, d.a)
  ]]
  it("leave it whole", function()
    assert.equal("true true true true", out.whole)
    assert.equal("0 nil", out.cleared)
  end)
end)

describe("a child forked within atomic", function()
  local out = support.fixture [[
    local dict = process.dict
    local d = dict{ a = 1 }
    dict.atomic(d, function()
      d.a = 2
      local p = process.Process(function()
        report("the child sees", d.a)
      end):start()
      p:join()
      report("code", p.exitcode)
    end)
    report("after", d.a)
  ]]
  it("is not in it", function()
    assert.equal("1", out["the child sees"])
    assert.equal("0", out.code)
    assert.equal("2", out.after)
  end)
end)

describe("Ctrl-C within atomic, and while waiting for its end", function()
  local out = support.fixture [[
    local dict = process.dict
    local d, inside = dict{ a = 1 }, process.Event()
    local p = process.Process(function()
      report("error", try(dict.atomic, d, function()
        d.a = 2
        inside:set()
        process.sleep(60)
      end))
      report("undone", d.a)
    end):start()
    inside:wait()
    local waiter = process.Process(function()
      report("waiter", try(function() d.a = { 5, process.Lock() } end))
    end):start()
    fx.waiting(waiter.pid)
    waiter:interrupt()
    waiter:join()
    p:interrupt()
    p:join()
    d.a = 3
    report("goes on", d.a)
  ]]
  it("is an error that undoes it", function()
    support.mentions(out.error, "interrupted!")
    assert.equal("1", out.undone)
  end)
  it("ends the wait", function() support.mentions(out.waiter, "interrupted!") end)
  it("leaves a dict as others", function() assert.equal("3", out["goes on"]) end)
end)

-- Each interrupt strikes somewhere else. Nothing is collected meanwhile: what one leaves held
-- would stay so, and what the process writes later would be lost with it.
describe("interrupts within atomic and modify", function()
  local out = support.fixture [[
    local ROUNDS <const> = 150
    local d, l, round = process.dict{ n = 0 }, process.list{ 0 }, process.Value("i", 0)

    local function abandon()
      error("abandoned", 0)
    end

    local function change_until_interrupted(i)
      round.value = i
      while true do
        for _, change in ipairs {
          { process.dict.atomic, d, abandon },
          { process.dict.modify, d, "n", abandon },
          { l.modify, l, 1, abandon },
        } do
          local _, message = pcall(table.unpack(change))
          if message ~= "abandoned" then
            error(message, 0)
          end
        end
      end
    end

    local p = process.Process(function()
      local held, other = 0, nil
      collectgarbage "stop"
      for i = 1, ROUNDS do
        local _, message = pcall(change_until_interrupted, i)
        if not tostring(message):find "interrupted!" then other = message end
        local free = pcall(process.dict.atomic, d, function() end)
        held = held + (free and 0 or 1)
        if not free then collectgarbage() end
      end
      d.n = "changed"
      report("held", held, other)
      round.value = ROUNDS + 1
      process.sleep(1000)
    end):start()
    for i = 1, ROUNDS do
      while round.value < i do end
      for _ = 1, i * 37 % 1000 do end
      p:interrupt()
    end
    while round.value <= ROUNDS and p:is_alive() do process.sleep(0.001) end
    l:append(1)
    report("others", d.n, #l)
    p:kill()
  ]]
  it("leave nothing held", function() assert.equal("0 nil", out.held) end)
  it("and nothing swallowed", function() assert.equal("changed 2", out.others) end)
end)
