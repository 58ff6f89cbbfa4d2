-- What runs at a process's end, and in which: handlers, finalizers, to-be-closed variables.

local support = require "spec.support"

local ENDS = {
  ["a return"] = { "", 0 }, ["os.exit"] = { "os.exit(3)", 3 },
  ["os.exit, closing"] = { "os.exit(4, true)", 4 },
  ["an error"] = { "error 'expected by the spec'", 1 },
}

for name, case in pairs(ENDS) do
  describe("the handlers of a child that ends by " .. name, function()
    local result
    lazy_setup(function()
      result = support.run(([[
        process.atexit(io.write, "parent|")
        local p = process.Process(function()
          process.atexit(io.write, "first|")
          process.atexit(function(...) io.write("second ", select("#", ...), "|") end, nil, 2, nil)
          process.Process(function() io.write "grandchild|" end):start():join()
          io.write "child|"
          %s
        end):start()
        p:join()
        io.write(p.exitcode, "|main|")
      ]]):format(case[1]))
    end)

    it("run once, the last one first, with their arguments, before the last flush", function()
      assert.equal("grandchild|child|second 3|first|" .. case[2] .. "|main|parent|", result.stdout)
    end)
  end)

  it("a main program that ends by " .. name .. " runs its handlers", function()
    local result = support.run(([[
      process.atexit(io.write, "first|")
      process.atexit(io.write, "second|")
      process.Process(io.write, "child|"):start():join()
      %s
    ]]):format(case[1]))
    assert.equal("child|second|first|", result.stdout)
    assert.equal(case[2], result.status)
  end)

  describe("finalizers and to-be-closed variables, with a child that ends by " .. name, function()
    local result
    lazy_setup(function()
      result = support.run(([[
        finalized = setmetatable({}, { __gc = function() io.write "finalizer|" end })
        local guard <close> = setmetatable({}, { __close = function() io.write "close|" end })
        local function start()
          local inner <close> = setmetatable({}, { __close = function() io.write "inner|" end })
          return process.Process(function()
            collectgarbage()
            io.write "child|"
            %s
          end):start()
        end
        start():join()
        io.write "main|"
      ]]):format(case[1]))
    end)

    it("of the parent run in the parent only", function()
      assert.equal(1, support.count(result.stdout, "child|"))
      assert.equal(1, support.count(result.stdout, "inner|"))
      assert.equal("main|close|finalizer|", result.stdout:match "main|.*")
    end)
  end)
end

describe("to-be-closed variables of a child", function()
  it("are closed at its return and its error, as everywhere", function()
    for _, last in ipairs { "", "error 'expected by the spec'" } do
      local result = support.run(([[
        process.Process(function()
          local guard <close> = setmetatable({}, { __close = function() io.write "closed|" end })
          io.write "child|"
          %s
        end):start():join()
      ]]):format(last))
      assert.equal("child|closed|", result.stdout)
    end
  end)
end)

describe("a handler that raises", function()
  it("is reported and does not keep the others from running", function()
    local result = support.run [[
      local p = process.Process(function()
        process.atexit(io.write, "first|")
        process.atexit(error, "expected by the spec")
        process.atexit(io.write, "third|")
      end):start()
      p:join()
    ]]
    assert.equal("third|first|", result.stdout)
    assert.equal(1, support.count(result.stderr, "expected by the spec"))
  end)
end)

describe("other people's children", function()
  local out = support.fixture [[
    local q = process.Queue()
    local ps = {}
    for i = 1, 10 do ps[i] = process.Process(os.exit, i):start() end
    report("execute", os.execute("exit 3"))
    local pipe = io.popen("sleep 0.05; echo text; exit 5")
    for i = 11, 15 do ps[i] = process.Process(os.exit, i):start() end
    report("active", #process.active_children() <= 15)
    report("read", pipe:read("a"))
    report("close", pipe:close())
    local wrong = 0
    for i, p in ipairs(ps) do
      p:join()
      if p.exitcode ~= i then wrong = wrong + 1 end
    end
    report("wrong", wrong)
    local sleeper = io.popen("echo $$; exec sleep 0.01")
    local pid = sleeper:read("n")
    fx.zombie(pid)
    process.active_children()
    report("popen", fx.state(pid), sleeper:close())
    process.Process(function()
      report("in a child", os.execute("exit 4"))
      local own = io.popen("exit 6")
      report("popen in a child", own:close())
    end):start():join()
  ]]

  it("keep their exit status for os.execute", function()
    assert.equal("nil exit 3", out.execute)
    assert.equal("nil exit 4", out["in a child"])
  end)
  it("keep their exit status for the close of io.popen", function()
    assert.equal("text ", out.read)
    assert.equal("nil exit 5", out.close)
    assert.equal("nil exit 6", out["popen in a child"])
  end)
  it("are never reaped by the module", function() assert.equal("Z true exit 0", out.popen) end)
  it("do not change the exit codes of ours", function() assert.equal("0", out.wrong) end)
end)
