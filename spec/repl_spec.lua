-- The prompt: the conversation without a terminal, completion, and the whole on pipes and on a
-- terminal.

local command = require "spec.fixtures.host.command"
local complete = require("repl.complete").complete
local history = require "repl.history"
local repl = require "repl"

local mpl = command.quote(command.mpl)

local function new_env()
  return setmetatable({}, { __index = _G })
end

describe("a conversation", function()
  local session, env

  before_each(function()
    env = new_env()
    session = repl.new(env)
  end)

  local function results_of(...)
    local kind, results
    for _, line in ipairs({ ... }) do kind, results = session:feed(line) end
    assert.equal("results", kind, results)
    return results
  end

  it("gives the value of an expression", function()
    assert.same({ n = 1, 2 }, results_of("1 + 1"))
    assert.same({ n = 1, 2 }, results_of("=1 + 1"))
    assert.same({ n = 3, nil, 1, nil }, results_of("nil, 1, nil"))
  end)

  it("gives nothing for statements, comments and empty lines", function()
    for _, line in ipairs({ "x = 1", "local y = 1", "-- a comment", "", ";" }) do
      assert.same({ n = 0 }, results_of(line))
    end
    assert.equal(1, env.x)
  end)

  it("gives what a statement returns", function()
    assert.same({ n = 2, 1, 2 }, results_of("do return 1, 2 end"))
  end)

  for _, lines in ipairs({
    { "for i = 1, 2 do", "n = (n or 0) + i", "end", "n" },
    { "f = function(x)", "return x", "end", "f(3)" },
    { "(1 +", "2)" },
    { "#{1,", "2,", "3}" },
    { "1 +", "", "2" },
    { "=1 +", "2" },
    { "string.rep(", "'3', 1) + 0" },
    { "[[", "]] == '' and 3" },
    { "--[[ a long", "comment ]] n = 3", "n" },
  }) do
    it("goes on over lines: " .. table.concat(lines, "\\n"), function()
      assert.equal("more", (session:feed(lines[1])))
      assert.equal(2, session:level())
      local last = table.remove(lines)
      for i = 2, #lines do session:feed(lines[i]) end
      assert.equal(3, results_of(last)[1])
      assert.equal(1, session:level())
    end)
  end

  it("names a syntax error and starts anew", function()
    local kind, message = session:feed("x = = 1")
    assert.same({ "error", "stdin:1: unexpected symbol near '='" }, { kind, message })
    assert.equal(1, session:level())
  end)

  it("notices a syntax error in a later line", function()
    session:feed("for i = 1, 2 do")
    local kind, message = session:feed("x = = 1")
    assert.same({ "error", "stdin:2: unexpected symbol near '='" }, { kind, message })
    assert.equal(1, session:level())
  end)

  it("gives an error a traceback without frames of its own", function()
    local kind, message = session:feed("error('boom')")
    assert.equal("error", kind)
    assert.equal("stdin:1: boom\nstack traceback:\n\t[C]: in function 'error'\n"
      .. "\tstdin:1: in main chunk\n\t[C]: in ?", message)
  end)

  it("is the place of an error of a call that is the whole expression", function()
    env.refuse = function() error("not so", 2) end
    local _, message = session:feed("refuse()")
    assert.equal("stdin:1: not so", message:match "^[^\n]*")
    assert.same({ n = 2, 1, 2 }, results_of("1, 2;"))
  end)

  it("lets an error object speak for itself", function()
    env.speaking = setmetatable({}, { __tostring = function() return "it speaks" end })
    assert.same({ "error", "it speaks" }, { session:feed("error(speaking)") })
  end)

  it("names the type of a silent error object", function()
    for _, value in ipairs({ "nil", "{}", "true" }) do
      local kind, message = session:feed("error(" .. value .. ")")
      assert.equal("error", kind)
      assert.matches("^%(error object is a %l+ value%)\nstack traceback:", message)
    end
  end)

  it("forgets an incomplete text on request", function()
    session:feed("for i = 1, 2 do")
    session:reset()
    assert.equal(1, session:level())
    assert.same({ n = 1, 7 }, results_of("7"))
  end)

  it("refuses bytecode", function()
    assert.equal("error", (session:feed(string.dump(function() end))))
  end)
end)

describe("completion", function()
  local env

  before_each(function()
    local class = { method = print, method_two = print, field = 1 }
    class.__index = class
    env = {
      alpha = 1, alpine = 2, beta = { inner = { deep = 1 } }, object = setmetatable({}, class),
      text = "a string", ["not a name"] = 1,
    }
  end)

  it("inserts what the candidates share", function()
    assert.same({ "p" }, { complete(env, {}, "al") })
    assert.same({ "a" }, { complete(env, {}, "print(alph") })
    assert.same({ "inner" }, { complete(env, {}, "beta.") })
    assert.same({ "eep" }, { complete(env, {}, "x = beta.inner.d") })
  end)

  it("shows the candidates if there is nothing to insert", function()
    assert.same({ nil, "alpha   alpine" }, { complete(env, {}, "alp") })
  end)

  it("breaks a long list into rows", function()
    for i = 10, 60 do env["name_" .. i] = i end
    local _, shown = complete(env, {}, "name_")
    for row in shown:gmatch("[^\n]+") do assert.is_true(#row <= 80) end
    assert.equal(51, select(2, shown:gsub("name_%d%d", "")))
  end)

  it("knows keywords", function()
    assert.same({ "ction" }, { complete(env, {}, "fun") })
    assert.same({}, { complete(env, {}, "beta.fun") })
  end)

  it("offers methods after a colon, and fields too after a dot", function()
    assert.same({ "method" }, { complete(env, {}, "object:") })
    assert.same({ nil, "method      method_two" }, { complete(env, {}, "object:method") })
    assert.same({ "ield" }, { complete(env, {}, "object.f") })
    assert.same({}, { complete(env, {}, "object:f") })
    assert.same({ "ub" }, { complete(env, {}, "text:gs") })
  end)

  it("finds nothing where there is nothing", function()
    local texts = { "zzz", "alpha.x", "nowhere.x", "beta.inner.deep.x", "1", "a + ", "'" }
    for _, text in ipairs(texts) do
      assert.same({}, { complete(env, {}, text) })
    end
  end)

  it("indents at the beginning of a line", function()
    assert.same({ "  " }, { complete(env, {}, "") })
    assert.same({ "  " }, { complete(env, {}, "  ") })
  end)

  it("calls nothing of the user's", function()
    local function trap() error("called") end
    env.trapped = setmetatable({ known = 1 }, { __index = trap, __pairs = trap })
    assert.same({ "known" }, { complete(env, {}, "trapped.") })
    assert.same({}, { complete(env, {}, "trapped.unknown.") })
  end)

  it("ends for a metatable that is its own __index", function()
    local loop = {}
    loop.__index = setmetatable(loop, loop)
    env.loop = loop
    assert.same({}, { complete(env, {}, "loop.x") })
  end)

  it("loads a lazy global only to look into it", function()
    local loads = 0
    setmetatable(env, { __index = function(_, name)
      loads = loads + 1
      return name == "lazy" and { content = 1 } or nil
    end })
    assert.same({ "zy" }, { complete(env, { "lazy" }, "la") })
    assert.equal(0, loads)
    assert.same({ "content" }, { complete(env, { "lazy" }, "lazy.") })
    assert.equal(1, loads)
  end)
end)

describe("the history", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
  end)

  after_each(function() os.execute("rm -rf " .. folder) end)

  -- Adds lines to a history in `folder` and reads it again, in a process with the environment it
  -- needs. Returns the lines and the modes of its file and folders.
  local function after_adding(lines)
    local script = ([[
      local history = require "repl.history"
      local function open(path) return io.open(path, "a+") end
      local h = history.open(open)
      for line in io.lines() do h:add(line) end
      history.open(open):each(print)]])
    return command.run(("mkdir -p %s/mpl && XDG_STATE_HOME=%s %s -e %s"):format(folder, folder,
      mpl, command.quote(script)), table.concat(lines, "\n") .. "\n")
  end

  it("brings lines back in order, without blanks and repetitions", function()
    local out, err = after_adding({ "one", "two", "two", "", "  ", "one" })
    assert.same({ "one\ntwo\none\n", "" }, { out, err })
  end)

  it("keeps the newest lines of a file that has grown long", function()
    local lines = {}
    for i = 1, 2500 do lines[i] = "line " .. i end
    local out = after_adding(lines)
    assert.equal(table.concat(lines, "\n", 1501) .. "\n", out)
    local file <close> = assert(io.open(folder .. "/mpl/history"))
    assert.equal(out, file:read("a"))
  end)

  it("does without a file", function()
    local nowhere = history.open(function() return nil, "no file" end)
    nowhere:add("a line")
    nowhere:each(error)
  end)
end)

describe("the prompt on a pipe", function()
  local function talk(...)
    return command.run(mpl .. " -i", table.concat({ ... }, "\n"))
  end

  local function answers(out)
    return (out:gsub("^mpl [^\n]*\n", ""))
  end

  it("prints values, prompts and errors where they belong", function()
    local out, err, status = talk("1, nil", "for i = 1, 2 do", "print(i) end", "error('boom', 0)")
    assert.equal("> 1\tnil\n> >> 1\n2\n> > \n", answers(out))
    assert.matches("^boom\nstack traceback:\n", err)
    assert.equal(0, status)
  end)

  it("obeys _PROMPT and _PROMPT2", function()
    local out = talk("_PROMPT, _PROMPT2 = '$ ', 5", "(", "1)",
      "_PROMPT = setmetatable({}, {__tostring = error})", "2")
    assert.equal("> $ 51\n$ > 2\n> \n", answers(out))
  end)

  it("lets code read the lines that follow", function()
    assert.equal("> hello\n> \n", answers((talk("io.read()", "hello"))))
  end)

  it("survives the loss of what it is made of", function()
    local out, err, status = talk("local keep = print; for name in pairs(_G) do "
      .. "if name ~= '_G' then _G[name] = nil end end; print = keep", "1 + 1", "x x", "(", "3)")
    assert.equal("> > 2\n> > >> 3\n> \n", answers(out))
    assert.equal("stdin:1: syntax error near 'x'\n", err)
    assert.equal(0, status)
  end)

  it("comes back when Ctrl-C stops what runs", function()
    local stopped = "io.popen('kill -INT $PPID'):close() while true do end"
    local out, err, status = talk(stopped, "1 + 1", stopped, "2 + 2")
    assert.equal("> > 2\n> > 4\n> \n", answers(out))
    assert.equal(2, select(2, err:gsub("interrupted!\nstack traceback:\n", "")))
    assert.equal(0, status)
  end)

  it("comes after the script for -i, and sees its globals", function()
    local out = command.run(mpl .. " -i -e 'x = 5' module.lua", "x")
    assert.equal("module.lua is loaded\n> 5\n> \n", answers(out))
  end)

  it("comes even if nothing was read", function()
    assert.equal("> \n", answers((talk())))
  end)

  it("loads the lazy globals only when they are used", function()
    local out = talk("rawget(_G, 'process'), package.loaded.process", "type(process.Process)",
      "process == package.loaded.process", "no_such_global")
    assert.equal("> nil\tnil\n> table\n> true\n> nil\n> \n", answers(out))
  end)

  it("leaves a metatable of the user's on the globals alone", function()
    local init = "setmetatable(_G, { __index = function(_, n) return n == 'process' and 1 end })"
    local out = command.run("LUA_INIT=" .. command.quote(init) .. " " .. mpl .. " -i", "process")
    assert.equal("> 1\n> \n", answers(out))
  end)
end)

describe("the prompt on a terminal", function()
  local state

  before_each(function()
    state = os.tmpname()
    os.remove(state)
  end)

  after_each(function() os.execute("rm -rf " .. state) end)

  -- What a terminal shows on which `keys` are typed. The last of them are "os.exit()\n", as an end
  -- of file that is typed before the prompt appears is lost.
  local function shown(keys)
    local line = ("TERM=xterm XDG_STATE_HOME=%s script -qec %s /dev/null"):format(state, mpl)
    return (command.run(line, keys .. "os.exit()\n"))
  end

  it("edits lines", function()
    assert.matches("42", shown("+ 41\1" .. "1 \n"), 1, true)
  end)

  it("completes at the Tab key", function()
    assert.matches("12345", shown("string.reve\t('54321')\n"), 1, true)
  end)

  it("remembers lines for the next session, in a file for the user alone", function()
    assert.matches("4711", shown("4700 + 11\n"), 1, true)
    assert.matches("4711", shown("\27[A\27[A\n"), 1, true)
    local modes = command.run(("stat -c %%a %s %s/mpl %s/mpl/history"):format(state, state, state))
    assert.equal("700\n700\n600\n", modes)
  end)
end)
