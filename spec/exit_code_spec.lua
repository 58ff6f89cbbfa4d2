-- Exit codes of children and of the main program, and what is printed of an error nobody handled.

local support = require "spec.support"

-- What a child does, and the exit code it gives.
local ENDS = {
  { "a return", "return", 0 },
  { "a return of values", "return 7, 'x'", 0 },
  { "os.exit without argument", "os.exit()", 0 },
  { "os.exit(3)", "os.exit(3)", 3 },
  { "os.exit(300), modulo 256", "os.exit(300)", 44 },
  { "os.exit(-1), modulo 256", "os.exit(-1)", 255 },
  { "os.exit(true)", "os.exit(true)", 0 },
  { "os.exit(false)", "os.exit(false)", 1 },
  { "os.exit(5, true)", "os.exit(5, true)", 5 },
  { "os.exit inside pcall", "pcall(os.exit, 9); os.exit(1)", 9 },
  { "os.exit inside a coroutine", "coroutine.wrap(function() os.exit(8) end)(); os.exit(1)", 8 },
  { "an error", "error 'expected by the spec'", 1 },
  { "an error in a coroutine", "coroutine.wrap(error)('expected by the spec')", 1 },
  { "SIGKILL", "fx.die 'KILL'", -9 },
  { "SIGTERM", "fx.die 'TERM'", -15 },
  { "SIGUSR1", "fx.die 'USR1'", -10 },
  { "SIGHUP", "fx.die 'HUP'", -1 },
}

describe("the exit code of a child ended by", function()
  local lines = { [0] = [[
    local function run(name, target)
      local p = process.Process(target):start()
      p:join()
      report(name, p.exitcode)
    end
  ]] }
  for i, case in ipairs(ENDS) do
    lines[i] = ("run(%q, function() %s end)"):format(case[1], case[2])
  end
  local out = support.fixture(table.concat(lines, "\n", 0))

  for _, case in ipairs(ENDS) do
    it(case[1] .. " is " .. case[3], function() assert.equal(tostring(case[3]), out[case[1]]) end)
  end
end)

describe("the exit status of a program that has had children", function()
  local program = [[
    process.Process(os.exit, 3):start()
    process.Process(function() process.sleep(0.01) end):start():join()
    %s
  ]]
  local cases = {
    { "", 0 }, { "os.exit(300)", 44 }, { "os.exit(true)", 0 }, { "os.exit(false)", 1 },
    { "os.exit(-1, true)", 255 }, { "error 'expected by the spec'", 1 },
  }
  for _, case in ipairs(cases) do
    it(("with %q is %d"):format(case[1], case[2]), function()
      assert.equal(case[2], support.run(program:format(case[1])).status)
    end)
  end
end)

describe("an error that a child does not handle", function()
  local out = support.fixture [[
    report("script", debug.getinfo(1, "S").short_src)
    local function run(name, f)
      local p = process.Process{ name = name, target = f }:start()
      p:join()
      report(name, p.pid, p.exitcode)
    end
    run("Text", function() error "a text" end)
    run("Nested", function()
      local function inner() error("from inside", 1) end
      local function outer() inner(); return 1 end
      outer()
    end)
    run("Bare", function() error("no position", 0) end)
    run("Table", function() error({ code = 7 }) end)
    run("Shown", function()
      error(setmetatable({}, { __tostring = function() return "shown as text" end }))
    end)
    run("Nil", function() error(nil) end)
    run("Number", function() error(42) end)
    run("Index", function() local t; return t.field end)
    run("Overflow", function() local function f() return 1 + f() end; f() end)
  ]]

  -- The text after the head that names process `name` and its pid, up to the next such head.
  local function printed(name)
    local pid = out[name]:match "%d+"
    local head = ("Process %s (pid %s): "):format(name, pid)
    local stderr = out().stderr
    local _, last = stderr:find(head, 1, true)
    assert(last, head .. " is missing in:\n" .. stderr)
    return (stderr:sub(last + 1):gsub("\nProcess %a+ %(pid.*", ""))
  end

  for name in ("Text Nested Bare Table Shown Nil Number Index Overflow"):gmatch "%a+" do
    it("gives 1 and is printed once with its process and traceback: " .. name, function()
      assert.matches("^%d+ 1$", out[name])
      assert.equal(1, support.count(out().stderr, "Process " .. name .. " "))
      assert.equal(1, support.count(printed(name), "stack traceback:"))
    end)
  end
  it("is printed with its position", function()
    support.mentions(printed "Text", out.script .. ":7: a text\n")
    support.mentions(printed "Bare", "no position\n")
    assert.equal("no position", printed("Bare"):match "^[^\n]*")
  end)
  it("is printed with the functions that it came through", function()
    local text = printed "Nested"
    support.mentions(text, out.script .. ":9: from inside\n", out.script .. ":10: ", "'outer'")
  end)
  it("is printed without the functions that its parent was in", function()
    assert.is_nil(printed("Nested"):find("main chunk", 1, true))
  end)
  it("is printed as __tostring says", function()
    support.mentions(printed "Shown", "shown as text")
  end)
  it("need not be a string", function()
    support.mentions(printed "Table", "table")
    support.mentions(printed "Nil", "nil")
    support.mentions(printed "Number", "42")
  end)
  it("may be the interpreter's own", function()
    support.mentions(printed "Index", "field")
    support.mentions(printed "Overflow", "stack overflow")
  end)
  it("does not disturb the parent", function() assert.equal(0, out().status) end)
end)
