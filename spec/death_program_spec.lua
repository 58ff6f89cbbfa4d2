-- The death of the program: main, and a child, killed by SIGKILL. Who dies with them, who lives on,
-- and that nothing is left: no process, no memory, no descriptor, no file.

local lfs = require "lfs"
local support = require "spec.support"

-- Main has daemons, a child has daemons of its own, and a survivor, who has one, too, kills both.
-- It reports the seconds until the daemons are gone, who lives, and what it can do itself.
local FAMILY = [[
  local signal = require "posix.signal"
  local pids, q, lock = process.Queue(), process.Queue(), process.Lock()
  local main = process.getpid()
  local function start_daemon(name)
    local ready = process.Event()
    local p = process.Process{ daemon = true, target = function()
      ready:set()
      if name == "busy" then while true do end end
      if name == "deaf" then
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        string.find(("x"):rep(10000), ("x*"):rep(20) .. "y") -- C code without an end
      end
      process.Queue():get()
    end }:start()
    ready:wait()
    return p
  end
  local function gone(pid)
    local state = fx.state(pid)
    return state == "gone" or state == "Z"
  end

  local child = process.Process(function()
    pids:put{ start_daemon("deaf").pid, start_daemon("asleep").pid }
    lock:acquire()
    q:put "held"
    process.sleep(100)
  end):start()
  q:get()
  process.Process(function()
    local mine, list = start_daemon "mine", pids:get()
    table.move(pids:get(), 1, 2, 3, list)
    local began = process.now()
    signal.kill(main, signal.SIGKILL)
    signal.kill(child.pid, signal.SIGKILL)
    for _, pid in ipairs(list) do eventually(function() return gone(pid) end) end
    report("seconds", process.now() - began)
    report("daemon of a survivor", mine:is_alive(), not gone(mine.pid))
    report("lock", lock:acquire())
    report("queue", q:put(1), q:get())
    eventually(function() return #process.stats().processes == 2 end)
    report("members", #process.stats().processes)
  end):start()
  pids:put{ start_daemon("busy").pid, start_daemon("asleep").pid }
  process.sleep(100)
]]

describe("main and a child that are killed", function()
  local runs, best = {}, math.huge
  lazy_setup(function()
    for i = 1, 5 do
      runs[i] = support.run(FAMILY)
      best = math.min(best, tonumber(runs[i].stdout:match "seconds\t([%d.e-]+)") or math.huge)
    end
  end)

  local function all_have(line)
    for _, run in ipairs(runs) do
      assert.equal(1, support.count(run.stdout, line), run.stdout .. run.stderr)
    end
  end

  it("die of it", function()
    for _, run in ipairs(runs) do assert.equal(9, run.signal) end
  end)
  it("take their daemons along within 100 ms, whatever those do", function()
    assert.is_true(best < 0.1, "at best after " .. best .. " s")
  end)
  it("leave a child that is no daemon, and its daemon with it", function()
    all_have "daemon of a survivor\ttrue true\n"
  end)
  it("leave whole what they shared, and are cleaned up after", function()
    all_have "lock\ttrue abandoned\n"
    all_have "queue\ttrue 1\n"
    all_have "members\t2\n"
  end)
end)

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text
end

-- The pids of all processes that map the arena with this inode, or have it open.
local function users_of(inode)
  local users = {}
  for pid in lfs.dir "/proc" do
    if pid:match "^%d+$" then
      local maps = read("/proc/" .. pid .. "/maps")
      local uses = maps:find(" " .. inode .. " +/memfd:")
      local ok, iterate, dir = pcall(lfs.dir, "/proc/" .. pid .. "/fd")
      for fd in ok and iterate or function() end, dir do
        local link = lfs.attributes("/proc/" .. pid .. "/fd/" .. fd)
        uses = uses or (link and tostring(link.ino) == inode)
      end
      if uses then users[#users + 1] = pid end
    end
  end
  return users
end

local function names_in(dir)
  local names = {}
  for name in lfs.dir(dir) do names[name] = true end
  return names
end

-- Names in `dir` that have come since, of which a pattern holds.
local function come_since(dir, before, pattern)
  local list = {}
  for name in pairs(names_in(dir)) do
    if not before[name] and name:find(pattern) then list[#list + 1] = name end
  end
  return table.concat(list, " ")
end

describe("a program of which all processes are killed", function()
  local PROGRAM = [[
    local q, ready = process.Queue(), process.Event()
    for i = 1, 3 do
      process.Process{ daemon = i == 1, target = function()
        for _ = 1, 20 do q:put(("x"):rep(2 ^ 20)) end
        if i == 3 then ready:set() end
        process.sleep(100)
      end }:start()
    end
    ready:wait()
    os.execute "sleep 30 & echo bystander $!"
    for line in io.lines "/proc/self/maps" do
      local inode = line:match " (%d+) +/memfd:mpl"
      if inode then print("inode " .. inode .. ";") break end
    end
    process.sleep(100)
  ]]
  local shm, tmp = names_in "/dev/shm", names_in "/tmp"
  local inode, bystander, used, unused, run
  lazy_setup(function()
    run = support.start(PROGRAM)
    inode = run:wait_for "inode (%d+);"
    bystander = run:wait_for "bystander (%d+)"
    used = users_of(inode)
    for _, pid in ipairs(used) do os.execute("kill -KILL " .. pid) end
    local left = 0
    repeat
      unused = users_of(inode)
      left = left + 1
    until #unused == 0 or left > 1000
  end)
  lazy_teardown(function()
    os.execute("kill -KILL " .. bystander)
    run:finish()
  end)

  it("has its memory in four processes before", function() assert.equal(4, #used) end)
  it("leaves it to nobody, not even to what it has started", function()
    assert.equal("", table.concat(unused, " "))
    assert.matches("sleep", read("/proc/" .. bystander .. "/cmdline"))
  end)
  it("leaves no file behind", function()
    assert.equal("", come_since("/dev/shm", shm, "."))
    assert.equal("", come_since("/tmp", tmp, "mpl"))
  end)
end)
