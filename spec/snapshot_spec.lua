-- Snapshots of dicts and lists: what an iteration holds it gives back.

local support = require "spec.support"

local CONTAINERS = {
  dict = "local c = process.dict()",
  list = "local c = process.list()",
}

for kind, make in pairs(CONTAINERS) do
  describe("iterations over a " .. kind, function()
    local out = support.fixture(make .. [[
      for i = 1, 4000 do c[i] = ("long enough to be kept and not to be copied"):rep(5) end

      local function used()
        return process.stats().arena.used
      end

      local function iterate(times, leave_early)
        for _ = 1, times do
          for _ in pairs(c) do
            if leave_early then break end
          end
        end
        return used()
      end

      collectgarbage()
      local before = used()
      collectgarbage "stop"
      report("whole", iterate(20) == before)
      collectgarbage "restart"
      report("left early", iterate(300, true) < before + 2000000)
      collectgarbage()
      collectgarbage()
      report("in the end", used() == before)
    ]])
    it("hold nothing when they are done", function() assert.equal("true", out.whole) end)
    it("that are left early are collected as what they are, large", function()
      assert.equal("true", out["left early"])
      assert.equal("true", out["in the end"])
    end)
  end)
end
