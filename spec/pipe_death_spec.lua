-- Pipes between processes: who holds which end, deaths, signals, interrupts.

local support = require "spec.support"

describe("a pipe between processes", function()
  local out = support.fixture [[
    local a, b = process.Pipe()
    local p = process.Process(function(c)
      while true do
        local v, word = c:recv()
        if word then break end
        c:send(v * 2)
      end
      c:close()
    end, b):start()
    b:close()
    a:send(21)
    report("echo", a:recv())
    local sum = 0
    for i = 1, 500 do
      a:send(i)
      sum = sum + a:recv()
    end
    report("ping-pong", sum)
    a:close()
    report("child", p:join(30), p.exitcode)

    local r, w = process.Pipe(false)
    local writers = {}
    for i = 1, 4 do
      writers[i] = process.Process(function()
        for k = 1, 200 do
          w:send{ i, k, ("x"):rep(k % 7 == 0 and 9000 or k) }
        end
      end):start()
    end
    w:close()
    local next_of, whole, n = { 1, 1, 1, 1 }, true, 0
    while true do
      local m, word = r:recv()
      if word then break end
      n = n + 1
      whole = whole and m[2] == next_of[m[1] ] and #m[3] == (m[2] % 7 == 0 and 9000 or m[2])
      next_of[m[1] ] = m[2] + 1
    end
    report("many writers", n, whole)
    for _, q in ipairs(writers) do q:join() end

    r, w = process.Pipe(false)
    local sums, back = {}, process.Queue()
    for i = 1, 3 do
      sums[i] = process.Process(function()
        local s, v, word = 0
        while true do
          v, word = r:recv()
          if word then break end
          s = s + v
        end
        back:put(s)
      end):start()
    end
    r:close()
    for i = 1, 3000 do w:send(i) end
    w:close()
    report("many readers", back:get() + back:get() + back:get())
    for _, q in ipairs(sums) do q:join() end

    local q = process.Queue()
    local event = process.Event()
    a, b = process.Pipe()
    p = process.Process(function()
      local m = b:recv()
      m.q:put("through the queue")
      m.event:set()
      b:send(m.q)
    end):start()
    a:send{ q = q, event = event, again = q }
    report("objects", q:get(), event:wait(30), a:recv() == q)
    p:join()
  ]]

  it("carries values to and fro", function()
    assert.equal("42", out.echo)
    assert.equal("250500", out["ping-pong"])
    assert.equal("true 0", out.child)
  end)
  it("never mixes the messages of several writers", function()
    assert.equal("800 true", out["many writers"])
  end)
  it("gives each message to one reader", function()
    assert.equal("4501500", out["many readers"])
  end)
  it("carries shared objects", function()
    assert.equal("through the queue true true", out.objects)
  end)
end)

describe("an end of a pipe", function()
  local out = support.fixture [[
    local mine, theirs, ps = {}, {}, {}
    for i = 1, 4 do
      local m, t = process.Pipe()
      mine[i] = m
      ps[i] = process.Process(function()
        t:send(fx.descriptors())
        t:recv()
      end):start()
      t:close()
    end
    local same, first = true, mine[1]:recv()
    for i = 2, 4 do same = same and mine[i]:recv() == first end
    report("descriptors", same)
    ps[1]:kill()
    report("death", mine[1]:recv())
    report("send to the dead", mine[1]:send("x"))
    mine[3]:close()
    report("closed", ps[3]:join(30), ps[3].exitcode)
    for i = 2, 4 do mine[i]:close() ps[i]:join() end

    -- What a child can reach it holds: arguments, upvalues, globals, fields, coroutines, modules.
    local a, b = process.Pipe()
    local function held(f, ...)
      local p = process.Process(f, ...):start()
      p:join()
      return p.exitcode == 0
    end
    local function works(c) os.exit(not c.closed and c:send("x") and true or false) end
    local wrapped = coroutine.wrap(function() local c = b; coroutine.yield() works(c) end)
    wrapped()
    local fresh = coroutine.create(works)
    local box = setmetatable({}, { __index = { deep = { b } } })
    local keyed = setmetatable({ [box] = b }, { __mode = "k" })
    package.loaded["my.module"] = { c = b }
    THE_END = b
    report("held", held(works, b), held(function() works(b) end), held(function() wrapped() end),
      held(function() coroutine.resume(fresh, b) end), held(function() works(box.deep[1]) end),
      held(function() works(keyed[box]) end),
      held(function() works(require "my.module".c) end), held(function() works(THE_END) end))
    package.loaded["my.module"], THE_END = nil, nil
    local My = process.Process:extend "My"
    function My:init(c) self.c = c end
    function My:run() works(self.c) end
    local mine_too = My(b)
    mine_too:start():join()
    report("field", mine_too.exitcode)

    -- And nothing else: a child sees by a weak table what became of the ends.
    local c, d = process.Pipe()
    local weak = setmetatable({ c, d }, { __mode = "v" })
    keyed[{}] = c
    local function only_the_second() os.exit(weak[1].closed and not weak[2].closed) end
    local p = process.Process(only_the_second, d):start()
    p:join()
    report("not held", p.exitcode, c.closed, d.closed, c:send(1), d:recv())
    p = process.Process(function()
      local q = process.Process(function(e) e:send(weak[1].closed) end, d):start()
      q:join()
    end, c):start()
    report("grandchild", c:recv())
    p:join()

    -- A raw fork has all.
    local pid = process.fork()
    if pid == 0 then
      d:send(not c.closed)
      os.exit(0)
    end
    report("raw fork", c:recv())
    require "posix.sys.wait".wait(pid)
  ]]

  it("is not held by a sibling that was not given it", function()
    assert.equal("true", out.descriptors)
    assert.equal("nil eof", out.death)
    assert.equal("nil closed", out["send to the dead"])
    assert.equal("true 0", out.closed)
  end)
  it("is held by a child that can reach it", function()
    assert.equal("true true true true true true true true", out.held)
    assert.equal("0", out.field)
  end)
  it("is closed in a child that cannot", function()
    assert.equal("0 false false true 1", out["not held"])
    assert.equal("true", out.grandchild)
  end)
  it("stays open in a raw fork", function() assert.equal("true", out["raw fork"]) end)
end)

describe("a subclass with both ends of a pipe", function()
  local out = support.fixture [[
    local Upper = process.Process:extend "Upper"
    function Upper:init() self.parent_end, self.child_end = process.Pipe() end
    function Upper:run()
      self.parent_end:close()
      for s in function() return (self.child_end:recv()) end do self.child_end:send(s:upper()) end
      self.child_end:close()
    end
    function Upper:submit(s)
      self.parent_end:send(s)
      return self.parent_end:recv()
    end
    local p = Upper():start()
    p.child_end:close()
    report("answers", p:submit("hello"), p:submit("world"))
    p.parent_end:send(nil)
    report("end", p:join(30), p.exitcode)
  ]]

  it("works from both sides", function()
    assert.equal("HELLO WORLD", out.answers)
    assert.equal("true 0", out["end"])
  end)
end)

describe("children of children", function()
  local out = support.fixture [[
    local r, w = process.Pipe(false)
    local function recurse(id)
      w:send("[" .. table.concat(id, ",") .. "]")
      if #id < 2 then
        for i = 0, 1 do
          local sub = table.move(id, 1, #id, 1, {})
          sub[#sub + 1] = i
          process.Process(recurse, sub):start():join()
        end
      end
    end
    recurse{}
    local got = {}
    while r:poll() do got[#got + 1] = r:recv() end
    report("tree", table.concat(got, " "))
  ]]

  it("may share one pipe", function()
    assert.equal("[] [0] [0,0] [0,1] [1] [1,0] [1,1]", out.tree)
  end)
end)

describe("a death", function()
  local out = support.fixture [[
    -- Writers are killed at any moment, readers too: what comes is whole, and the others go on.
    local whole, ends = true, 0
    for i = 1, 40 do
      local r, w = process.Pipe(false)
      local p = process.Process(function()
        local big = ("y"):rep(50000)
        while true do w:send{ n = 1, text = big } end
      end):start()
      w:close()
      local v, word = r:recv()
      local moment = process.now() + (i % 10) * 0.0003
      repeat
        whole = whole and v ~= nil and v.n == 1 and #v.text == 50000
        v, word = r:recv()
      until process.now() > moment
      p:kill()
      while not word do
        whole = whole and #v.text == 50000
        v, word = r:recv()
      end
      if word == "eof" then ends = ends + 1 end
      p:join()
    end
    report("writers", whole, ends)

    local r, w = process.Pipe(false)
    local counts = process.Queue()
    local function reader() while true do counts:put(#r:recv().text) end end
    local p = process.Process(reader):start()
    local victims = {}
    for i = 1, 6 do victims[i] = process.Process(reader):start() end
    local big = ("z"):rep(30000)
    for i = 1, 60 do
      w:send{ text = big }
      if i % 10 == 0 then victims[i // 10]:kill() end
    end
    local sizes, n = true, 0
    for _, v in ipairs(victims) do v:join() end
    for _ = 1, 10 do w:send{ text = big } end
    repeat
      local size, word = counts:get(0.5)
      if size then sizes, n = sizes and size == 30000, n + 1 end
    until word and not r:poll()
    report("readers", sizes, n >= 60)
    p:kill()
    p:join()
    w:close()
    r:close()
    collectgarbage()
    collectgarbage()
    report("left", process.stats().objects.Pipe)

    -- A sender that waits for room learns that nobody will make any.
    r, w = process.Pipe(false)
    p = process.Process(function() while true do process.sleep(60) end end, r):start()
    r:close()
    local killer = process.Process(function()
      fx.asleep(process.getppid())
      os.execute("kill -KILL " .. p.pid)
    end):start()
    local word
    repeat
      word = select(2, w:send(("x"):rep(10000)))
    until word
    report("sender", word)
    killer:join()
    p:join()
  ]]

  it("of a writer tears no message", function() assert.equal("true 40", out.writers) end)
  it("of a reader loses at most what it had", function() assert.equal("true true", out.readers) end)
  it("leaves nothing behind", function() assert.equal("nil", out.left) end)
  it("of the only reader ends the wait of a writer", function()
    assert.equal("closed", out.sender)
  end)
end)

describe("signals", function()
  local out = support.fixture [[
    local signal = require "posix.signal"
    local handled = 0
    signal.signal(signal.SIGUSR1, function() handled = handled + 1 end)
    local a, b = process.Pipe()
    local me = process.getpid()
    local p = process.Process(function()
      local text = ("0123456789abcdef"):rep(1 << 20)
      for _ = 1, 5 do
        for _ = 1, 20 do os.execute("kill -USR1 " .. me) end
        b:send(text)
      end
      b:send_bytes(text)
      fx.asleep(me)
      for _ = 1, 5 do os.execute("kill -USR1 " .. me) end
      b:send("done")
    end):start()
    local ok = true
    for _ = 1, 5 do ok = ok and #a:recv() == 16 << 20 end
    report("16 MiB", ok, #a:recv_bytes())
    report("asleep", a:recv(), handled > 0)
    p:join()
    -- A child's end, too, ends a sleep only for a moment.
    process.Process(function() end):start()
    p = process.Process(function() process.sleep(0.05) b:send("later") end):start()
    report("child's end", a:recv())
    p:join()
  ]]

  it("in the middle of a large message do no harm", function()
    assert.equal("true 16777216", out["16 MiB"])
    assert.equal("done true", out.asleep)
  end)
  it("of ended children do not end a wait", function()
    assert.equal("later", out["child's end"])
  end)
end)

describe("Ctrl-C", function()
  it("ends a recv, a poll and a send that wait", function()
    local calls = { "a:recv()", "a:poll(nil)", "while true do a:send(('x'):rep(10000)) end" }
    for _, call in ipairs(calls) do
      local run = support.start([[
        local a, b = process.Pipe()
        print "ready"
        io.stdout:flush()
        local ok, message = pcall(function() ]] .. call .. [[ end)
        print(ok, message, b.closed)
      ]])
      run:wait_for "ready"
      run:wait_asleep():signal "INT"
      local result = run:finish()
      assert.equal(0, result.status)
      support.mentions(result.stdout, "false", "interrupted!", "false")
    end
  end)
end)
