-- Buffered output at a fork and at an end: nothing printed twice, nothing lost.

local support = require "spec.support"

local ENDS = {
  ["a return"] = "", ["os.exit"] = "os.exit(3)", ["os.exit, closing"] = "os.exit(0, true)",
  ["an error"] = "error 'expected by the spec'",
}

for where, options in pairs { ["a file"] = {}, ["a pipe"] = { pipe = true } } do
  describe("output into " .. where, function()
    for name, last in pairs(ENDS) do
      it("of a child that ends by " .. name, function()
        local result = support.run(([[
          io.write "before|"
          local p = process.Process(function()
            io.write "child|"
            %s
          end)
          io.write "between|"
          p:start()
          p:join()
          io.write "after|"
        ]]):format(last), options)
        assert.equal("before|between|child|after|", result.stdout)
      end)

      it("of a main program that ends by " .. name .. " before its child", function()
        local result = support.run(([[
          io.write "before|"
          local ending = process.Event()
          process.Process(function()
            ending:wait()
            fx.asleep(process.getppid())
            io.write "child|"
          end):start()
          io.write "main|"
          ending:set()
          %s
        ]]):format(last), options)
        assert.equal(1, support.count(result.stdout, "before|"))
        assert.equal(1, support.count(result.stdout, "main|"))
        assert.equal(1, support.count(result.stdout, "child|"))
        assert.equal(#"before|main|child|", #result.stdout)
      end)

      it("of a raw fork that ends by " .. name, function()
        local result = support.run(([[
          local q = process.Queue()
          io.write "before|"
          if process.fork() == 0 then
            io.write "child|"
            q:put(process.getpid())
            %s
          else
            local child = q:get()
            fx.zombie(child)
            io.write "main|"
          end
        ]]):format(last), options)
        assert.equal("before|child|main|", result.stdout)
      end)
    end

    it("of many children is whole", function()
      local result = support.run([[
        local ps = {}
        for i = 1, 20 do
          io.write("m", i, "|")
          ps[i] = process.Process(function() io.write(("c%d;"):format(i):rep(500)) end):start()
        end
        for _, p in ipairs(ps) do p:join() end
        io.write "end|"
      ]], options)
      for i = 1, 20 do
        assert.equal(1, support.count(result.stdout, ("m%d|"):format(i)))
        assert.equal(500, support.count(result.stdout, ("c%d;"):format(i)))
      end
      assert.equal(1, support.count(result.stdout, "end|"))
    end)
  end)
end

describe("other open streams", function()
  local out = support.fixture [[
    local function read(path) return io.open(path):read("a") end
    local path = os.tmpname()
    local file = io.open(path, "w")
    file:write "parent|"
    local p = process.Process(function() file:write "child|" end):start()
    p:join()
    file:write "parent again|"
    p = process.Process(function() file:write "exiting child|"; os.exit(0) end):start()
    p:join()
    file:close()
    report("file", read(path))

    local pipe = io.popen("cat >" .. path, "w")
    pipe:write "parent|"
    process.Process(function() pipe:write "child|" end):start():join()
    pipe:write "parent again|"
    pipe:close()
    report("pipe", read(path))

    process.Process(function()
      local own = io.open(path, "w")
      own:write "never closed"
    end):start():join()
    report("own", read(path))
    os.remove(path)
  ]]

  it("are flushed at a fork and at a child's end", function()
    assert.equal("parent|child|parent again|exiting child|", out.file)
    assert.equal("parent|child|parent again|", out.pipe)
  end)
  it("opened by the child are flushed too", function() assert.equal("never closed", out.own) end)
end)

describe("standard streams that the child closes", function()
  local out = support.fixture [[
    for _, name in ipairs{ "stdin", "stdout", "stderr" } do
      local p = process.Process(function() io[name]:close() end):start()
      p:join()
      report(name, p.exitcode)
    end
    local p = process.Process(function() io.stdout = nil; io.stderr = nil end):start()
    p:join()
    report("removed", p.exitcode)
  ]]

  it("are no failure", function()
    assert.equal("0000", out.stdin .. out.stdout .. out.stderr .. out.removed)
  end)
end)

describe("standard streams that are closed from the start", function()
  it("are not the shared memory", function()
    local result = support.run([[
      local path = "/proc/" .. process.getpid() .. "/fd/"
      local q = process.Queue()
      local p = process.Process(function()
        print "nobody sees this"
        q:put(tostring(io.read()))
      end):start()
      p:join()
      local out = io.open(os.getenv "OUT", "w")
      for fd = 0, 2 do out:write(require "posix.unistd".readlink(path .. fd), " ") end
      out:write(p.exitcode, " ", q:get())
    ]], { shell = function(command)
      return "OUT=$(mktemp); export OUT; " .. command .. " <&- >&- 2>&-; cat $OUT; rm $OUT"
    end })
    assert.equal(("/dev/null "):rep(3) .. "0 nil", result.stdout)
  end)
end)
