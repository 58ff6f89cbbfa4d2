-- What the system refuses: processes, descriptors, memory. Each time an error, nothing half-made,
-- and the program goes on.

local support = require "spec.support"

describe("a fork that the system refuses", function()
  local out = support.fixture [[
    local resource, unistd = require "posix.sys.resource", require "posix.unistd"
    local RLIMIT_NPROC = 6 -- Linux's number; luaposix has no name for it
    local NOBODY = 54321   -- root has no such limit: be somebody who runs nothing else
    local failure = fx.failure
    local q = process.Queue()
    process.Process(q.put, q, "before"):start():join()
    if unistd.geteuid() == 0 then assert(unistd.setpid("u", NOBODY)) end
    local limit = resource.getrlimit(RLIMIT_NPROC)
    local stats, fds = process.stats(), fx.descriptors()
    assert(resource.setrlimit(RLIMIT_NPROC, { rlim_cur = 1, rlim_max = limit.rlim_max }))
    local p = process.Process(function() q:put "after" end)
    for _ = 1, 20 do report("start", failure(p.start, p)) end
    report("half-made", p.pid, p.exitcode, p:is_alive(), #process.active_children())
    report("fork", process.fork())
    report("leaked", #process.stats().processes - #stats.processes, fx.descriptors() - fds)
    report("queue", q:get(), q:put "x", q:get())
    assert(resource.setrlimit(RLIMIT_NPROC, limit))
    p:start()
    report("later", q:get(), p:join(), p.exitcode)
    report("end", #process.stats().processes - #stats.processes)
  ]]

  it("is an error of start", function()
    support.mentions(out.start, "Resource temporarily unavailable")
  end)
  it("is nil, a message and the error's number from fork", function()
    assert.matches("^nil .*Resource temporarily unavailable.* 11$", out.fork)
  end)
  it("leaves nothing half-made", function()
    assert.equal("nil nil false 0", out["half-made"])
    assert.equal("0 0", out.leaked)
  end)
  it("lets the program go on, and start the same process later", function()
    assert.equal("before true x", out.queue)
    assert.equal("after true 0", out.later)
    assert.equal("0", out["end"])
  end)
end)

describe("a program without free descriptors", function()
  local out = support.fixture [[
    local resource = require "posix.sys.resource"
    local failure = fx.failure
    local limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    local q, lock, event = process.Queue(), process.Lock(), process.Event()
    local fds, stats = fx.descriptors(), process.stats()
    local kept, file = {}, nil
    assert(resource.setrlimit(resource.RLIMIT_NOFILE, { rlim_cur = 64, rlim_max = limit.rlim_max }))
    repeat
      file = io.open "/dev/null"
      kept[#kept + 1] = file
    until not file
    report("objects", failure(process.Queue), failure(process.Lock), failure(process.Event))
    report("use", q:put(1), q:get(), lock:acquire(), lock:locked(), event:is_set())
    local go = process.Event()
    local p = process.Process(function() go:wait(); os.exit(4) end)
    local message = failure(p.start, p)
    local started = message == "no error"
    local sentinel = started and failure(function() return p.sentinel end) or message
    go:set()
    if started then p:join() end
    local right
    if started then right = p.exitcode == 4 else right = p.pid == nil and not p:is_alive() end
    report("start", right, #process.active_children())
    report("message", started and "no error" or message)
    report("sentinel", sentinel)
    for i, f in ipairs(kept) do f:close(); kept[i] = nil end
    assert(resource.setrlimit(resource.RLIMIT_NOFILE, limit))
    local again = process.Process(os.exit, 5):start()
    local fd = again.sentinel
    again:join()
    report("later", again.exitcode, math.type(fd))
    p:close()
    again:close()
    collectgarbage()
    collectgarbage()
    report("leaked", fx.descriptors() - fds, #process.stats().processes - #stats.processes)
  ]]

  it("makes and uses what needs none", function()
    assert.equal("no error no error no error", out.objects)
    assert.equal("true 1 true true false", out.use)
  end)
  it("starts a process or nothing at all, and says why not", function()
    assert.equal("true 0", out.start)
    if out.message ~= "no error" then support.mentions(out.message, "too many open files") end
    if out.sentinel ~= "no error" then support.mentions(out.sentinel, "too many open files") end
  end)
  it("goes on when there are some again", function() assert.equal("5 integer", out.later) end)
  it("leaks none", function() assert.equal("0 0", out.leaked) end)
end)

if not support.sanitized then
  describe("a program with little address space", function()
    local program = [[
      local failure = fx.failure
      local q = process.Queue()
      local p = process.Process(function() q:put "from a child" end):start()
      report("works", q:get(), p:join(), p.exitcode)
      local big
      local made = pcall(function() big = ("x"):rep(40 << 20) end)
      local message = made and failure(q.put, q, big) or "not enough memory"
      report("refused", message)
      big = nil
      collectgarbage()
      report("size", q:qsize() == 0 or #q:get() == 40 << 20)
      report("goes on", q:put "fine", q:get())
      p = process.Process(function() q:put "again" end):start()
      report("starts", q:get(), p:join(), p.exitcode)
    ]]
    local out = support.fixture(program, { wrap = "prlimit --as=134217728" })

    it("works", function() assert.equal("from a child true 0", out.works) end)
    it("has an error for what does not fit", function() support.mentions(out.refused, "memory") end)
    it("goes on after it", function()
      assert.equal("true", out.size)
      assert.equal("true fine", out["goes on"])
      assert.equal("again true 0", out.starts)
    end)

    it("and less and less of it works or ends with an error, never by a signal", function()
      for _, mib in ipairs { 96, 64, 48, 32, 24, 20, 16 } do
        local result = support.run([[
          local q = process.Queue()
          local p = process.Process(function() q:put "x" end):start()
          p:join()
          print(q:get(5), p.exitcode)
        ]], { wrap = ("prlimit --as=%d"):format(mib << 20) })
        assert.is_nil(result.signal, result.stderr)
        if result.status == 0 then
          assert.equal("x\t0\n", result.stdout)
        else
          support.mentions(result.stderr, "memory")
        end
      end
    end)
  end)
end
