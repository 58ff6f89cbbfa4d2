-- Pipe: two Connections that send values and bytes to each other.

local support = require "spec.support"

describe("a pipe", function()
  local out = support.fixture [[
    local a, b = process.Pipe()
    report("new", a.closed, a.readable, a.writable, b.closed, b.readable, b.writable)
    report("shown", (tostring(a):gsub("0x%x+ fd=%d+", "ADDRESS")))
    report("fileno", math.type(a:fileno()), a:fileno() ~= b:fileno())
    report("sent", a:send(1))
    report("received", b:recv())
    b:send{ list = { 1, 2 }, text = "x" }
    local v = a:recv()
    report("table", v.list[2], v.text)
    a:send(nil)
    a:send(false)
    report("nil", select("#", b:recv()), b:recv())
    for i = 1, 50 do a:send(i) end
    local sum, sorted = 0, true
    for i = 1, 50 do
      local n = b:recv()
      sum, sorted = sum + n, sorted and n == i
    end
    report("order", sum, sorted)
    local big = ("0123456789abcdef"):rep(1 << 20)
    report("16 MiB at once", a:send(big), b:recv() == big)
    report("sizes", (function()
      for _, n in ipairs { 3990, 3995, 3996, 3997, 3998, 3999, 4000, 4001, 4095, 4096, 70000 } do
        local text = ("x"):rep(n)
        a:send(text)
        a:send_bytes(text)
        if b:recv() ~= text or b:recv_bytes() ~= text then return n end
      end
      return "all"
    end)())
    report("no value", try(a.send, a))
    report("thread", try(a.send, a, { co = coroutine.create(print) }))
    report("still works", a:send("x"), b:recv())
    report("arguments", try(process.Pipe, 1))
    report("unknown", a.nothing, a[1])
  ]]

  it("is open at both ends, both ways", function()
    assert.equal("false true true false true true", out.new)
    assert.equal("<Connection at ADDRESS duplex>", out.shown)
    assert.equal("integer true", out.fileno)
  end)
  it("takes values of every kind, in their order", function()
    assert.equal("true", out.sent)
    assert.equal("1", out.received)
    assert.equal("2 x", out.table)
    assert.equal("1 false", out["nil"])
    assert.equal("1275 true", out.order)
  end)
  it("takes messages of every size", function()
    assert.equal("true true", out["16 MiB at once"])
    assert.equal("all", out.sizes)
  end)
  it("refuses what cannot be sent, and sends nothing", function()
    support.mentions(out["no value"], "value expected")
    support.mentions(out.thread, "cannot send a thread: at value.co")
    assert.equal("true x", out["still works"])
  end)
  it("checks its argument", function() support.mentions(out.arguments, "boolean expected") end)
  it("has no other fields", function() assert.equal("nil nil", out.unknown) end)
end)

describe("a one-way pipe", function()
  local out = support.fixture [[
    local r, w = process.Pipe(false)
    report("flags", r.readable, r.writable, w.readable, w.writable)
    w:send("x")
    report("works", r:recv())
    report("send", try(r.send, r, 1))
    report("send_bytes", try(r.send_bytes, r, "x"))
    report("recv", try(w.recv, w))
    report("recv_bytes", try(w.recv_bytes, w))
    report("poll", try(w.poll, w))
  ]]

  it("has its reader first", function()
    assert.equal("true false false true", out.flags)
    assert.equal("x", out.works)
  end)
  it("refuses the wrong direction", function()
    support.mentions(out.send, "only receives")
    support.mentions(out.send_bytes, "only receives")
    support.mentions(out.recv, "only sends")
    support.mentions(out.recv_bytes, "only sends")
    support.mentions(out.poll, "only sends")
  end)
end)

describe("bytes", function()
  local out = support.fixture [[
    local a, b = process.Pipe()
    local text = "abcdefghijklmnopqrstuvwxyz"
    a:send_bytes(text)
    a:send_bytes(text, 6)
    a:send_bytes(text, 8, 8)
    a:send_bytes(text, 27)
    a:send_bytes(text, 27, 0)
    a:send_bytes(text, 1, 0)
    report("pieces", b:recv_bytes() == text, b:recv_bytes(), b:recv_bytes())
    report("empty", b:recv_bytes() == "", b:recv_bytes() == "", b:recv_bytes() == "")
    for name, args in pairs { beyond = { 28 }, long = { 23, 5 }, negative = { -1 }, zero = { 0 },
      ["negative size"] = { 4, -1 } } do
      report(name, try(a.send_bytes, a, text, table.unpack(args)))
    end
    report("a table", try(a.send_bytes, a, {}))
    report("nothing came", b:poll())
    a:send_bytes("0123456789")
    a:send_bytes("next")
    report("too long", try(b.recv_bytes, b, 9))
    report("stays", b:poll(), b:recv_bytes(10), b:recv_bytes())
    a:send_bytes(("x"):rep(100000))
    report("much too long", try(b.recv_bytes, b, 99999))
    report("stays too", #b:recv_bytes(100000))
    report("negative max", try(b.recv_bytes, b, -1))
    a:send{ 7 }
    report("relayed", b:send_bytes(b:recv_bytes()), a:recv()[1])
    a:send_bytes(process.dumps{ 8 })
    report("dumped", b:recv()[1])
    a:send_bytes("no value")
    report("no value", try(b.recv, b))
  ]]

  it("go as parts of a string", function()
    assert.equal("true fghijklmnopqrstuvwxyz hijklmno", out.pieces)
  end)
  it("may be none", function() assert.equal("true true true", out.empty) end)
  it("are checked", function()
    support.mentions(out.beyond, "not in the string")
    support.mentions(out.negative, "not in the string")
    support.mentions(out.zero, "not in the string")
    support.mentions(out.long, "not so many bytes")
    support.mentions(out["negative size"], "not so many bytes")
    support.mentions(out["a table"], "string expected")
    assert.equal("false", out["nothing came"])
  end)
  it("that are too long raise and stay", function()
    support.mentions(out["too long"], "10 bytes", "9 allowed")
    assert.equal("true 0123456789 next", out.stays)
    support.mentions(out["much too long"], "100000 bytes")
    assert.equal("100000", out["stays too"])
    support.mentions(out["negative max"], "not negative")
  end)
  it("are what dumps makes of a value, and the other way round", function()
    assert.equal("true 7", out.relayed)
    assert.equal("8", out.dumped)
    support.mentions(out["no value"], "damaged message")
  end)
end)

describe("poll", function()
  local out = support.fixture [[
    local a, b = process.Pipe()
    report("nothing", select("#", b:poll()), b:poll(), b:poll(0), b:poll(-1))
    local seconds, found = fx.timed(b.poll, b, 0.05)
    report("waited", seconds >= 0.05, found)
    a:send_bytes ""
    report("empty message", b:poll(), b:poll(), b:poll(0.01), b:poll(nil))
    report("consumes nothing", b:recv_bytes() == "", b:poll())
    local p = process.Process(function()
      for _, text in ipairs { "hello", "", "there", "", "", "", "", "end" } do
        process.sleep(0.01)
        a:send_bytes(text)
      end
    end):start()
    local got = {}
    repeat
      while not b:poll(0.001) do end
      got[#got + 1] = b:recv_bytes()
    until got[#got] == "end"
    p:join()
    report("strings", #got, table.concat(got, "|"))
    a:close()
    report("end", b:poll(), b:poll(10), b:recv())
    report("NaN", try(b.poll, b, 0 / 0))
  ]]

  it("does not wait unless it is told to", function()
    assert.equal("1 false false false", out.nothing)
    assert.equal("true false", out.waited)
  end)
  it("sees an empty message and takes nothing", function()
    assert.equal("true true true true", out["empty message"])
    assert.equal("true false", out["consumes nothing"])
    assert.equal("8 hello||there|||||end", out.strings)
  end)
  it("is true at the end", function() assert.equal("true true nil eof", out["end"]) end)
  it("checks its timeout", function() support.mentions(out.NaN, "NaN") end)
end)

describe("a closed end", function()
  local out = support.fixture [[
    local a, b = process.Pipe()
    a:send("last words")
    b:send("never read")
    a:close()
    a:close()
    report("flags", a.closed, (tostring(a):gsub("0x%x+", "ADDRESS")))
    for _, name in ipairs { "recv", "recv_bytes", "poll", "fileno" } do
      report(name, try(a[name], a))
    end
    report("send", try(a.send, a, 1))
    report("send_bytes", try(a.send_bytes, a, ""))
    report("what was sent", b:recv())
    report("eof", select("#", b:recv()), b:recv())
    report("eof of bytes", b:recv_bytes())
    report("to it", b:send(1))
    report("bytes to it", b:send_bytes("x"))
    report("large to it", b:send(("x"):rep(1 << 20)))
    local c, d = process.Pipe()
    do
      local first <close> = c
      local second <close> = d
      report("before", first.closed, second.closed)
    end
    report("after", c.closed, d.closed, try(c.recv, c))
    local e, f = process.Pipe()
    e = nil
    collectgarbage()
    report("collected", f:recv())
    f:close()
    local before = fx.descriptors()
    for _ = 1, 100 do process.Pipe() end
    collectgarbage()
    report("descriptors", fx.descriptors() - before, process.stats().objects.Pipe)
  ]]

  it("says so", function()
    assert.equal("true <Connection at ADDRESS closed>", out.flags)
  end)
  it("cannot be used by who closed it", function()
    for _, name in ipairs { "recv", "recv_bytes", "poll", "fileno", "send", "send_bytes" } do
      support.mentions(out[name], "the connection is closed")
    end
  end)
  it("has sent all it had sent, then comes the end", function()
    assert.equal("last words", out["what was sent"])
    assert.equal("2 nil eof", out.eof)
    assert.equal("nil eof", out["eof of bytes"])
  end)
  it("takes no more", function()
    assert.equal("nil closed", out["to it"])
    assert.equal("nil closed", out["bytes to it"])
    assert.equal("nil closed", out["large to it"])
  end)
  it("is what the end of a scope leaves", function()
    assert.equal("false false", out.before)
    support.mentions(out.after, "true true", "closed")
  end)
  it("is what the collector leaves", function()
    assert.equal("nil eof", out.collected)
    assert.equal("0 1", out.descriptors)
  end)
end)
