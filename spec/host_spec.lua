-- The host against the stock interpreter: the same command line gives the same output, the same
-- messages and the same exit status, whatever the options and however the program ends.

local command = require "spec.fixtures.host.command"
local quote = command.quote

local STOCK = "lua5.4"

-- Fills in the program, and takes its name out of what it says.
local function outcome(program, case)
  local line = case[1]:gsub("LUA%f[^%w_]", (program:gsub("%%", "%%%%")))
  local out, err, status = command.run(line, case.stdin)
  local function neutral(text)
    local from, to = text:find(program, 1, true)
    while from do
      text = text:sub(1, from - 1) .. "LUA" .. text:sub(to + 1)
      from, to = text:find(program, from, true)
    end
    return text
  end
  return { out = neutral(out), err = neutral(err), status = status }
end

-- Command lines for the shell; LUA is the program.
local CASES = {
  options = {
    { "LUA -e 'print(1)' -e 'print(2)'" },
    { "LUA -e'print(1)'" },
    { "LUA -e 'print(...)' arguments.lua x" },
    { "LUA -e 'x ='" },
    { "LUA -e 'error(\"first\")' -e 'print(\"second\")'" },
    { "LUA -l module -e 'print(module.name)'" },
    { "LUA -lmodule -e 'print(module.name)'" },
    { "LUA -l m=module -e 'print(m.name, module)'" },
    { "LUA -l missing_module -e 'print(1)'" },
    { "LUA -l broken" },
    { "LUA -e 'require = nil' -l module" },
    { "LUA -e 'setmetatable(_G, {__newindex = function() error(\"read only\") end})' -l module" },
    { "LUA -W -e 'warn(\"one \", \"warning\")'" },
    { "LUA -e 'warn(\"off\")' -W -e 'warn(\"on\")'" },
    { "LUA -e 'warn(\"@on\") warn(\"on\") warn(\"@off\") warn(\"off\")'" },
    { "LUA -E -e 'print(package.path)'" },
    { "LUA -e 'print(package.path, package.cpath)'" },
    { "LUA_PATH='./x/?.lua;;' LUA_CPATH_5_4='y;;' LUA -e 'print(package.path, package.cpath)'" },
    { "LUA_PATH='./x/?.lua;;' LUA -E -e 'print(package.path)'" },
    { "LUA -e 'print(collectgarbage(\"incremental\"))'" },
    { "LUA -e 'print(pcall(require, \"no.such.module\"))'" },
  },
  scripts = {
    { "LUA arguments.lua a 'b c' ''" },
    { "LUA arguments.lua -e x -- -" },
    { "LUA -- arguments.lua a" },
    { "LUA -E -W -e 'local x' -l module arguments.lua a" },
    { "LUA -e 'arg = {\"replaced\", n = 1}' arguments.lua a" },
    { "LUA -e 'arg = nil' arguments.lua a" },
    { "LUA - a b", stdin = "print(..., #arg, arg[0])" },
    { "LUA", stdin = "print('from stdin', #arg, arg[0])\nerror('line two')" },
    { "LUA", stdin = "#!/usr/bin/lua\nprint('after a first line')" },
    { "LUA -e 'print(1)'", stdin = "print('is not read')" },
    { "LUA -- -" },
    { "LUA no_such_file.lua" },
    { "LUA ." },
    { "LUA broken.lua" },
    { "LUA shebang.lua" },
    { "LUA failing.lua message 2>&1" },
    { "LUA -e 'io.write(string.dump(load(\"print(...)\")))' | LUA - from bytecode" },
  },
  errors = {
    { "LUA failing.lua message" },
    { "LUA failing.lua number" },
    { "LUA failing.lua boolean" },
    { "LUA failing.lua table" },
    { "LUA failing.lua speaking" },
    { "LUA failing.lua mumbling" },
    { "LUA failing.lua choking" },
    { "LUA failing.lua nothing" },
    { "LUA failing.lua unplaced" },
    { "LUA failing.lua arithmetic" },
    { "LUA failing.lua index" },
    { "LUA failing.lua overflow" },
    { "LUA failing.lua coroutine" },
    { "LUA -e 'error(\"with \\0 zero\")'" },
    { "LUA -e 'setmetatable({}, {__gc = function() error(\"in gc\") end})' -W" },
    { "LUA -W -e 'setmetatable({}, {__gc = function() error(\"in gc\") end})'" },
  },
  ["wrong options"] = { -- the usage that follows is not the same
    { "LUA -e 2>&1 | head -1" },
    { "LUA -e -v 2>&1 | head -1" },
    { "LUA -l 2>&1 | head -1" },
    { "LUA -e >/dev/null 2>&1" },
    { "LUA -vx 2>&1 | head -1" },
    { "LUA -Ex 2>&1 | head -1" },
    { "LUA -W1 2>&1 | head -1" },
    { "LUA -x 2>&1 | head -1" },
    { "LUA --what 2>&1 | head -1" },
    { "LUA -e 'print(\"not run\")' -x >/dev/null 2>&1" },
  },
  leaving = {
    { "LUA leaving.lua return" },
    { "LUA leaving.lua none" },
    { "LUA leaving.lua true" },
    { "LUA leaving.lua false" },
    { "LUA leaving.lua 3" },
    { "LUA leaving.lua 260" },
    { "LUA leaving.lua -1" },
    { "LUA leaving.lua 3 close" },
    { "LUA leaving.lua false close" },
  },
  LUA_INIT = {
    { "LUA_INIT='print(\"init\", ...)' LUA arguments.lua a" },
    { "LUA_INIT=@init.lua LUA -e 'print(from_init)'" },
    { "LUA_INIT=@no_such_file.lua LUA -e 'print(1)'" },
    { "LUA_INIT='print(1)' LUA_INIT_5_4='print(2)' LUA -e 'print(3)'" },
    { "LUA_INIT='print(1)' LUA -E -e 'print(3)'" },
    { "LUA_INIT='error(\"boom\")' LUA -e 'print(3)'" },
    { "LUA_INIT_5_4='error(\"boom\")' LUA -e 'print(3)'" },
    { "LUA_INIT='x = =' LUA -e 'print(3)'" },
    { "LUA_INIT='arg[1] = \"changed\"' LUA arguments.lua a" },
  },
}

for title, cases in pairs(CASES) do
  describe("like the stock interpreter: " .. title, function()
    for _, case in ipairs(cases) do
      it(case[1], function()
        assert.same(outcome(STOCK, case), outcome(command.mpl, case))
      end)
    end
  end)
end

describe("what mpl has on top", function()
  local mpl = quote(command.mpl)

  it("prints its usage for --help", function()
    local out, err, status = command.run(mpl .. " --help")
    assert.matches("^usage: .*%-e stat .*%-%-version", out)
    assert.same({ "", 0 }, { err, status })
  end)

  it("prints its version for --version and -v", function()
    for _, option in ipairs({ "--version", "-v" }) do
      local out, err, status = command.run(mpl .. " " .. option, "print('is not read')")
      assert.matches("^mpl [%d.]+, Lua 5%.4[^\n]+\n$", out)
      assert.same({ "", 0 }, { err, status })
    end
  end)

  it("goes on after -v if there is a script", function()
    local out = command.run(mpl .. " -v arguments.lua")
    assert.matches("^mpl [^\n]+\n%.%.%.\t0\n", out)
  end)

  it("names the wrong option and explains the right ones", function()
    local out, err, status = command.run(mpl .. " --no-such-option")
    assert.same({ "", 1 }, { out, status })
    assert.matches("unrecognized option '%-%-no%-such%-option'\nusage: ", err)
  end)

  it("runs a script by its first line", function()
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write("#!", command.mpl, "\nprint('by its first line', arg[0] ~= nil, ...)\n")
    file:close()
    local out, err, status = command.run("chmod +x " .. path .. " && " .. path .. " a b")
    os.remove(path)
    assert.same({ "by its first line\ttrue\ta\tb\n", "", 0 }, { out, err, status })
  end)
end)

describe("embedded modules", function()
  local mpl = quote(command.mpl)

  it("come before files of the same name", function()
    local out, err = command.run(mpl .. " -e 'print(select(2, require(\"repl\")))'")
    assert.same({ "repl/init.lua\n", "" }, { out, err })
  end)

  it("give way to package.preload", function()
    local out = command.run(mpl .. " -e 'package.preload.repl = function() return 1 end "
      .. "print((require(\"repl\")))'")
    assert.equal("1\n", out)
  end)

  it("are named by their path in tracebacks", function()
    local out = command.run(mpl .. " -e 'print(debug.getinfo(require(\"repl\").new).short_src)'")
    assert.equal("repl/init.lua\n", out)
  end)

  it("are not taken for scripts in a folder of the same name", function()
    local code = "local lock = require(\"process\").Lock(); lock:acquire(); lock:acquire()"
    local _, err = command.run(mpl .. (" -e 'load([[%s]], \"@process/mine.lua\")()'"):format(code))
    assert.matches("^mpl: process/mine.lua:1: deadlock", err:match "mpl: .*")
  end)

  it("are not loaded before they are asked for", function()
    local out = command.run(mpl .. " -e 'print(package.loaded.repl, package.loaded.process)'")
    assert.equal("nil\tnil\n", out)
  end)
end)

describe("busted", function()
  it("runs specs with --lua=mpl", function()
    local path = quote(command.mpl:match("^(.*)/"))
    local out, err, status = command.run("PATH=" .. path .. ":$PATH "
      .. "busted --lua=mpl -o plainTerminal passing_spec_of_fixture.lua")
    assert.matches("2 successes / 0 failures / 0 errors / 0 pending", out)
    assert.same({ "", 0 }, { err, status })
  end)

  it("runs specs as a script of mpl", function()
    local out, err, status = command.run(quote(command.mpl)
      .. " $(command -v busted) -o plainTerminal passing_spec_of_fixture.lua")
    assert.matches("2 successes / 0 failures / 0 errors / 0 pending", out)
    assert.same({ "", 0 }, { err, status })
  end)
end)

describe("process.so", function()
  it("brings the module to a stock interpreter", function()
    local folder = assert(os.getenv("MPL_SO"), "MPL_SO names the folder of process.so")
    local out, err, status = command.run("LUA_CPATH=" .. quote(folder .. "/?.so;;")
      .. " " .. STOCK .. " -e 'print(type(require(\"process\").Process))'")
    assert.same({ "table\n", "", 0 }, { out, err, status })
  end)
end)
