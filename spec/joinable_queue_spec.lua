-- JoinableQueue, and Queue with the option lost: items that count until they are finished, and what
-- becomes of those of the dead.

local support = require "spec.support"

describe("a joinable queue", function()
  local out = support.fixture [[
    local q = process.JoinableQueue()
    report("new", q:empty(), q:full(), q:qsize(), q:join(), q:join(0))
    report("shown", (tostring(q):gsub("0x%x+", "ADDRESS")))
    q:put(1); q:put("two"); q:put{ 3 }; q:put(nil)
    report("waits", q:join(0))
    report("at least", fx.timed(q.join, q, 0.05) >= 0.05)
    report("results", select("#", q:get()), (q:get()), q:get()[1], select("#", q:get()))
    report("taken", q:qsize(), q:join(0))
    for i = 1, 3 do q:task_done() end
    report("one left", (tostring(q):gsub("0x%x+", "ADDRESS")), q:join(0))
    report("nothing to say", select("#", q:task_done()))
    report("done", q:join())
    report("too many", try(q.task_done, q))
    q:put(1)
    report("not yet got", try(q.task_done, q))
    report("arguments", try(q.task_done, q, 1))
    report("bounded", process.JoinableQueue(1):put(1),
      process.JoinableQueue{ maxsize = 1, name = "n" })
    local small = process.JoinableQueue{ maxsize = 1 }
    report("full", small:put(1), small:full(), small:put(2, false))
    small:get()
    report("room again", small:put(2, false))
    report("options", try(process.JoinableQueue, { lost = "found" }))
    report("of no string", try(process.JoinableQueue, { lost = true }))
    q:close()
    report("closed", try(q.put, q, 1))
    report("closed get", try(q.get, q))
    report("closed join", try(q.join, q))
    report("join_thread", select("#", q:join_thread()), select("#", q:cancel_join_thread()))
  ]]

  it("is a queue", function()
    assert.equal("true false 0 true true", out.new)
    assert.equal("<JoinableQueue at ADDRESS size=0 unfinished=0>", out.shown)
    assert.equal("1 two 3 1", out.results)
    assert.equal("0 0", out.join_thread)
  end)
  it("joins when every item is finished, not when every item is got", function()
    assert.equal("nil timeout", out.waits)
    assert.equal("true", out["at least"])
    assert.equal("0 nil timeout", out.taken)
    assert.equal("<JoinableQueue at ADDRESS size=0 unfinished=1> nil timeout", out["one left"])
    assert.equal("0", out["nothing to say"])
    assert.equal("true", out.done)
  end)
  it("does not finish more than was got", function()
    support.mentions(out["too many"], "task_done() called too many times", "once after each get")
    support.mentions(out["not yet got"], "called too many times")
    support.mentions(out.arguments, "no such argument")
  end)
  it("may be bounded", function() assert.equal("true true nil full", out.full) end)
  it("has room for the next item when one is got", function()
    assert.equal("true", out["room again"])
  end)
  it("takes options", function()
    assert.truthy(out.bounded:match "^true <JoinableQueue at 0x%x+ size=0 maxsize=1 unfinished=0>$")
    support.mentions(out.options, "'lost' must be 'requeue' or 'drop'")
    support.mentions(out["of no string"], "'lost' must be 'requeue' or 'drop'")
  end)
  it("can be closed", function()
    for _, call in ipairs { "closed", "closed get", "closed join" } do
      support.mentions(out[call], "is closed")
    end
  end)
end)

describe("a joinable queue between processes", function()
  local out = support.fixture [[
    local q, sum = process.JoinableQueue(), process.Queue()
    local function work()
      while true do
        sum:put(q:get())
        q:task_done()
      end
    end
    local ps = {}
    for i = 1, 4 do ps[i] = process.Process{ target = work, daemon = true }:start() end
    for i = 1, 1000 do q:put(i) end
    report("joined", q:join(60), q:qsize(), sum:qsize())
    local total = 0
    for i = 1, 1000 do total = total + sum:get() end
    report("sum", total)
    for i, p in ipairs(ps) do fx.asleep(p.pid) end
    q:put_many{ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }
    report("again", q:join(60), sum:qsize())
    for i, p in ipairs(ps) do p:terminate() end

    local carrier = process.Queue()
    local sent = process.JoinableQueue()
    carrier:put{ sent }
    local p = process.Process(function()
      local arrived = carrier:get()[1]
      arrived:put(tostring(arrived):match "^<(%a+)")
      process.sleep(0.02)
      report("arrived", arrived:get())
      arrived:task_done()
    end):start()
    p:join()
    report("same", sent:join(0), sent:qsize())

    sent:put "work"
    local got, go = process.Event(), process.Event()
    p = process.Process(function() sent:get(); got:set(); go:wait() end):start()
    got:wait()
    report("taken", sent:join(0))
    sent:task_done()
    report("finished by another", sent:join(0))
    go:set()
    p:join()
    report("once", sent:qsize(), sent:join(0))
  ]]

  it("waits for its workers", function()
    assert.equal("true 0 1000", out.joined)
    assert.equal("500500", out.sum)
    assert.equal("true 10", out.again)
  end)
  it("arrives as what it is when it is sent", function()
    assert.equal("JoinableQueue", out.arrived)
    assert.equal("true 0", out.same)
  end)
  it("lets anybody finish an item, as Python does", function()
    assert.equal("nil timeout", out.taken)
    assert.equal("true", out["finished by another"])
    assert.equal("0 true", out.once)
  end)
end)

describe("an item whose taker dies", function()
  local out = support.fixture [[
    local q, ready = process.JoinableQueue(), process.Event()
    -- Runs f in a process that is killed once f has returned.
    local function killed_after(f)
      ready:clear()
      local p = process.Process(function() f(); ready:set(); process.sleep(1000) end):start()
      ready:wait()
      p:kill()
      p:join()
    end
    q:put "a"; q:put "b"; q:put "c"
    killed_after(function() q:get(); q:get() end)
    report("size", q:qsize(), q:empty(), q:join(0))
    report("first", q:get())
    report("results", select("#", q:get()), select("#", q:get()))
    q:put "d"
    for i = 1, 3 do q:task_done() end
    for i = 1, 3 do killed_after(function() q:get() end) end
    local list = q:get_many(5)
    report("list", list.n, list[1], list.attempts[1])
    q:task_done()
    q:put "e"
    report("no attempts", q:get_many(5).attempts)
    q:task_done()

    q:put "f"
    killed_after(function() q:get() end)
    q:shutdown()
    for v, _, attempt in q:items() do
      report("items", v, attempt)
      q:task_done()
    end
    report("joined", q:join(0))

    q = process.JoinableQueue()
    for _, how in ipairs{ "return", "exit", "error" } do
      q:put(how)
      process.Process(function()
        q:get()
        if how == "exit" then os.exit(0) elseif how == "error" then error "in work" end
      end):start():join()
      report(how, q:get(0))
      q:task_done()
    end
    q:put "done"
    killed_after(function() q:get(); q:task_done() end)
    report("finished", q:get(0))
    report("finished joins", q:join(0))
  ]]

  it("is delivered again, before all others, with its attempt", function()
    assert.equal("3 false nil timeout", out.size)
    assert.equal("a nil 2", out.first)
    assert.equal("3 1", out.results)
  end)
  it("is marked in lists and loops", function()
    assert.equal("1 d 4", out.list)
    assert.equal("nil", out["no attempts"])
    assert.equal("f 2", out.items)
    assert.equal("true", out.joined)
  end)
  it("comes again however its taker ended without task_done", function()
    for _, how in ipairs { "return", "exit", "error" } do
      assert.equal(how .. " nil 2", out[how])
    end
    support.mentions(out().stderr, "in work")
  end)
  it("is gone after task_done", function()
    assert.equal("nil empty", out.finished)
    assert.equal("true", out["finished joins"])
  end)
end)

describe("who waits while the taker of an item dies", function()
  local out = support.fixture [[
    local q, taken, got = process.JoinableQueue(), process.Event(), process.Queue()
    local taker = process.Process(function() q:get(); taken:set(); process.sleep(1000) end):start()
    q:put "work"
    taken:wait()
    local getters = {}
    for i = 1, 3 do
      getters[i] = process.Process(function()
        for v, _, attempt in q:items() do
          got:put{ v, attempt }
          q:task_done()
        end
        got:put "end"
      end):start()
    end
    for _, p in ipairs(getters) do fx.asleep(p.pid) end
    taker:kill()
    local item = got:get()
    report("got", item[1], item[2])
    report("joined", q:join())
    q:shutdown()
    for _, p in ipairs(getters) do p:join() end
    report("ends", got:get(), got:get(), got:get(), got:get(false))
  ]]

  it("gets it", function() assert.equal("work 2", out.got) end)
  it("joins when it is finished", function() assert.equal("true", out.joined) end)
  it("goes on when the queue is shut down", function()
    assert.equal("end end end nil empty", out.ends)
  end)
end)

describe("a shut down queue with an item at work", function()
  local out = support.fixture [[
    local q, taken, done = process.JoinableQueue(), process.Event(), process.Queue()
    q:put "last"
    local taker = process.Process(function() q:get(); taken:set(); process.sleep(1000) end):start()
    taken:wait()
    q:shutdown()
    report("may come back", q:get(0))
    local waiter = process.Process(function() done:put{ q:get() }; done:put{ q:get(0) } end):start()
    fx.asleep(waiter.pid)
    taker:kill()
    local item = done:get()
    report("came back", item[1], item[3])
    report("own", table.unpack(done:get(), 1, 2))
    waiter:join()
    report("from him, too", q:get(0))
    q:task_done()
    report("closed", q:get(0))
  ]]

  it("is not closed before that is finished", function()
    assert.equal("nil empty", out["may come back"])
    assert.equal("last 2", out["came back"])
    assert.equal("last nil 3", out["from him, too"])
    assert.equal("nil closed", out.closed)
  end)
  it("is closed for who has the item", function() assert.equal("nil closed", out.own) end)
end)

describe("the option lost", function()
  local out = support.fixture [[
    local function victim(f, ...)
      local p = process.Process(function(...) f(...); fx.die "KILL" end, ...):start()
      p:join()
      return p.exitcode
    end
    local q = process.JoinableQueue{ lost = "drop" }
    q:put(1); q:put(2)
    report("dropped", victim(function() q:get() end), q:qsize(), q:get(), q:task_done())
    report("joins", q:join(0), try(q.task_done, q))

    local plain = process.Queue()
    plain:put(1)
    victim(function() plain:get() end)
    report("plain", plain:get(0))
    report("no account", try(plain.task_done, plain))

    local again = process.Queue{ lost = "requeue" }
    again:put_many{ 1, 2, 3, 4 }
    victim(function() again:get(); again:get() end)
    report("asked", again:get())
    again:task_done()
    report("left", again:get_many(10)[2], again:get(0))
    again:put_many{ 5, 6 }
    process.Process(function() again:get() end):start():join()
    report("returned", again:qsize(), again:get())
    again:put(7)
    process.Process(function() again:get(); error "in work" end):start():join()
    report("failed", again:get())
    again:put(8)
    process.Process(function() again:get(); os.exit(false) end):start():join()
    report("exit", again:get())
    report("no join", try(function() again:join() end))
    report("same class", tostring(again):match "^<(%a+)")
  ]]

  it("drop counts the item as finished", function()
    assert.equal("-9 1 2", out.dropped)
    support.mentions(out.joins, "true", "too many times")
  end)
  it("is drop for a plain queue", function()
    assert.equal("nil empty", out.plain)
    support.mentions(out["no account"], "JoinableQueue", "lost = 'requeue'")
  end)
  it("requeue finishes an item of a plain queue when the next is asked for", function()
    assert.equal("2 nil 2", out.asked)
    assert.equal("4 nil empty", out.left)
    assert.equal("Queue", out["same class"])
    support.mentions(out["no join"], "join")
  end)
  it("requeue finishes it when the taker ends ordinarily, not when it fails", function()
    assert.equal("1 6", out.returned)
    assert.equal("7 nil 2", out.failed)
    assert.equal("8 nil 2", out.exit)
  end)
end)

describe("an item that cannot be decoded", function()
  local out = support.fixture [[
    local q = process.JoinableQueue()
    local p = process.Process(function()
      local mt = {}
      process.register("Only here", mt)
      q:put(setmetatable({ 1 }, mt))
      q:put "next"
    end):start()
    p:join()
    report("fails", pcall(q.get, q))
    report("counts as finished", q:qsize(), q:get())
    q:task_done()
    report("joins", q:join(0))
  ]]

  it("is an error and counts as finished", function()
    support.mentions(out.fails, "false", "Only here")
    assert.equal("1 next", out["counts as finished"])
    assert.equal("true", out.joins)
  end)
end)

describe("workers killed at random", function()
  local out = support.fixture([[
    local ITEMS, WORKERS = 2000, 8
    local q, seen = process.JoinableQueue(), process.Queue()
    local function work()
      for n, _, attempt in q:items() do
        seen:put{ n, attempt or 1 }
        local moment = process.now() + 0.00005
        while process.now() < moment do end
        q:task_done()
      end
    end
    for n = 1, ITEMS do q:put(n) end
    local ps, kills = {}, 0
    for i = 1, WORKERS do ps[i] = process.Process(work):start() end
    while not q:join(0.001 + kills % 5 * 0.0005) do
      local i = kills * 3 % WORKERS + 1
      kills = kills + 1
      ps[i]:kill()
      ps[i]:join()
      ps[i] = process.Process(work):start()
    end
    q:shutdown()
    for _, p in ipairs(ps) do p:join() end
    local times, different, total = {}, 0, seen:qsize()
    for _ = 1, total do
      local n = seen:get()[1]
      if not times[n] then different = different + 1 end
      times[n] = (times[n] or 0) + 1
    end
    report("all", different == ITEMS, q:qsize(), q:join(0), kills > 0)
    report("again", total - different <= kills)
    report("shown", (tostring(q):gsub("0x%x+", "ADDRESS")))
  ]], { deadline = 120 })

  it("leave no item undone", function() assert.equal("true 0 true true", out.all) end)
  it("have at most one item each in hand", function() assert.equal("true", out.again) end)
  it("leave nothing unfinished", function()
    assert.equal("<JoinableQueue at ADDRESS size=0 unfinished=0 shut down>", out.shown)
  end)
end)
