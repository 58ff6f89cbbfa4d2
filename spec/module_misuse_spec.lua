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
