-- process.RemoteError, and how a process makes one of an error of its own.

local errors = require "process.errors"
local process = require "process"
local support = require "spec.support"

local function copy(value)
  return process.loads(process.dumps(value))
end

-- The RemoteError of what f raises.
local function catch(f, ...)
  local ok, err = xpcall(f, errors.capture, ...)
  assert.is_false(ok)
  return err
end

describe("a RemoteError", function()
  it("has the value, and says where it was raised", function()
    local err = catch(function() error("boom", 0) end)
    assert.are.equal(process.RemoteError, getmetatable(err))
    assert.are.equal("boom", err.value)
    assert.are.equal("error", err.kind)
    assert.are.equal("MainProcess", err.process)
    assert.are.equal(process.getpid(), err.pid)
    assert.is_truthy(err.traceback:find("remote_error_spec.lua:%d+: in "))
    assert.is_nil(err.traceback:find("capture", 1, true))
  end)

  it("shows the message and under it the traceback", function()
    local text = tostring(errors.new{ value = "a.lua:1: boom", process = "PoolWorker-2", pid = 12,
      traceback = "stack traceback:\n\t[C]: in function 'error'\n\ta.lua:1: in main chunk" })
    assert.are.equal("a.lua:1: boom\n\nremote traceback (PoolWorker-2, pid 12):\n" ..
      "\t[C]: in function 'error'\n\ta.lua:1: in main chunk", text)
    assert.are.equal("gone", tostring(errors.new{ value = "gone", kind = "worker lost", pid = 12 }))
  end)

  it("shows what the interpreter would show for other values", function()
    local function text(value) return tostring(errors.new{ value = value }) end
    assert.are.equal("5", text(5))
    assert.are.equal("(error object is a nil value)", text(nil))
    assert.are.equal("(error object is a table value)", text {})
    local with = setmetatable({}, { __tostring = function() return "its own text" end })
    assert.are.equal("its own text", text(with))
    local bad = setmetatable({}, { __tostring = function() error "again" end })
    assert.are.equal("(error object is a table value)", text(bad))
  end)

  it("crosses, and crosses again, as it is", function()
    local value = { code = 7, list = { 1, 2 } }
    local err = copy(catch(error, value))
    assert.are.equal(process.RemoteError, getmetatable(err))
    assert.are.same(value, err.value)
    local again = catch(error, err)
    assert.is_true(rawequal(err, again))
    local copied = copy(again)
    assert.are.same(err, copied)
    assert.are.equal(tostring(err), tostring(copied))
  end)

  it("has the text of a value that cannot be sent", function()
    local err = catch(error, { coroutine.create(print) })
    assert.are.equal("(error object is a table value)", err.value)
    local Class = { __tostring = function(o) return "failed: " .. o.why end }
    err = catch(error, setmetatable({ why = "disk" }, Class))
    assert.are.equal("failed: disk", err.value)
    assert.are.equal("failed: disk", copy(err).value)
  end)

  it("takes a traceback, or the level where one begins", function()
    assert.are.equal("there", errors.capture("x", "there").traceback)
    local function inner() return errors.capture("x", 2), 1 end
    local function outer() return (inner()) end
    local err = outer()
    local level_1 = errors.capture("x", 1)
    assert.is_truthy(level_1.traceback:find("remote_error_spec.lua", 1, true))
    assert.is_nil(err.traceback:find("in upvalue 'inner'", 1, true))
  end)

  it("has one of five kinds", function()
    for _, kind in ipairs { "error", "worker lost", "timeout", "cancelled", "terminated" } do
      assert.are.equal(kind, errors.new{ kind = kind, value = "" }.kind)
    end
    assert.has_error(function() errors.new{ kind = "other" } end, "no kind of RemoteError: other")
  end)
end)

describe("a RemoteError of another process", function()
  local out = support.fixture [[
    local errors = require "process.errors"
    local q = process.Queue()
    local function fails() error { why = "remote" } end
    local worker = process.Process{ name = "Worker", target = function()
      q:put((select(2, xpcall(fails, errors.capture))))
    end }
    worker:start()
    local err = q:get()
    worker:join()
    report("fields", err.value.why, err.kind, err.process, err.pid == worker.pid)
    report("class", getmetatable(err) == process.RemoteError)
    report("place", err.traceback:find("in function <", 1, true) ~= nil)
  ]]

  it("names it", function()
    assert.are.equal("remote error Worker true", out.fields)
    assert.are.equal("true", out.class)
    assert.are.equal("true", out.place)
  end)
end)
