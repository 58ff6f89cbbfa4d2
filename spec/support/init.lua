-- Runs mpl programs for the specs.
--
-- A spec never forks inside busted: every scenario is a small program, written beside its
-- assertions and run by the mpl under test in a process and a session of its own. Three promises
-- hold for every run: it ends (a deadline kills it and fails the spec), it leaves no process behind
-- (each carries a mark in its environment, so none is missed), and it leaves no file behind.

local lfs = require "lfs"
local system = require "system"

local support = {}

-- Seconds: how long a program may take; how long its orphans may go on after it; how long to wait
-- for something that a running program is to do. All are for the slowest machine.
local DEADLINE, LINGER, PATIENCE = 60, 15, 30

local PRELUDE = 'local process, fx = require "process", require "spec.support.fixture"; '
  .. "local report, try, eventually = fx.report, fx.try, fx.eventually; "

-- The mpl under test: the one named by MPL, else the one that runs this spec, else ./mpl.
local function find_mpl()
  local first = 0
  while arg and arg[first - 1] do first = first - 1 end
  local runner = first < 0 and arg[first]:match "mpl$" and arg[first]
  return os.getenv "MPL" or runner or "./mpl"
end

local MPL = find_mpl()

local function quote(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read "a"
  file:close()
  return text or ""
end

local function write_file(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

-- Whether the mpl under test has AddressSanitizer, which needs an address space without limit and
-- maps memory of its own as it goes.
support.sanitized = read_file(MPL):find("__asan_init", 1, true) ~= nil

-- Calls ready() until it is true; false when `seconds` have passed first.
local function poll(seconds, ready)
  local deadline = system.monotime() + seconds
  while not ready() do
    if system.monotime() > deadline then return false end
    system.sleep(0.002)
  end
  return true
end

-- The pids of the living processes that carry `mark` in their environment.
local function marked(mark)
  local pids = {}
  for entry in lfs.dir "/proc" do
    if entry:match "^%d+$" and read_file("/proc/" .. entry .. "/environ"):find(mark, 1, true) then
      pids[#pids + 1] = entry
    end
  end
  return pids
end

local Run = {}
Run.__index = Run

-- Starts a program and returns at once with a handle; `finish` is to follow. Options:
--   bare     no prelude: the source stands alone
--   args     list of arguments of the script
--   env      table of environment variables
--   wrap     command words before mpl, such as "taskset -c 0"
--   shell    function(command) -> shell text that runs it; by default the shell becomes the command
--   pipe     stdout is a pipe, not a file
--   deadline seconds until the program is killed
function support.start(source, options)
  options = options or {}
  local base = os.tmpname()
  local run = setmetatable({ base = base, mark = "MPL_SPEC_RUN=" .. base, options = options }, Run)
  write_file(base, (options.bare and "" or PRELUDE) .. source)
  local words = { options.wrap or "", quote(MPL), quote(base) }
  for _, word in ipairs(options.args or {}) do words[#words + 1] = quote(word) end
  local command = table.concat(words, " ")
  local lines = { "echo $$ >" .. base .. ".pid", "export " .. run.mark }
  for name, value in pairs(options.env or {}) do
    lines[#lines + 1] = "export " .. name .. "=" .. quote(value)
  end
  lines[#lines + 1] = options.shell and options.shell(command) or "exec " .. command
  run.deadline = options.deadline or DEADLINE
  run.began = system.monotime()
  -- No "&" anywhere: a shell starts background commands with SIGINT ignored.
  local frame = "exec timeout -s KILL %d setsid sh -c %s %s 2>%s.err </dev/null"
  run.handle = assert(io.popen(frame:format(run.deadline, quote(table.concat(lines, "\n")),
    options.pipe and "" or ">" .. base .. ".out", base)))
  return run
end

-- Pid of the program (of the shell, where the option `shell` keeps one in front of it).
function Run:pid()
  local pid
  assert(poll(PATIENCE, function()
    pid = read_file(self.base .. ".pid"):match "^(%d+)\n"
    return pid
  end), "the program did not start")
  return tonumber(pid)
end

-- Pid of the program's first child, once there is one.
function Run:child()
  local pid = self:pid()
  local path, child = ("/proc/%d/task/%d/children"):format(pid, pid), nil
  assert(poll(PATIENCE, function()
    child = read_file(path):match "^%d+"
    return child
  end), "the program has no child")
  return tonumber(child)
end

-- Waits until stdout matches the pattern; returns the match's captures.
function Run:wait_for(pattern)
  local found
  local function seen()
    found = table.pack(read_file(self.base .. ".out"):match(pattern))
    return found[1]
  end
  if not poll(PATIENCE, seen) then
    local result = self:finish()
    error(("no %q in the output:\n%s%s"):format(pattern, result.stdout, result.stderr), 2)
  end
  return table.unpack(found, 1, found.n)
end

-- Waits until process `pid` sleeps in the kernel.
function Run:wait_asleep(pid)
  local path = "/proc/" .. (pid or self:pid()) .. "/stat"
  assert(poll(PATIENCE, function() return read_file(path):match "%) S" end), "never came to sleep")
  return self
end

-- Sends a signal, by name, to a process or, with a negative number, to a process group.
function Run:signal(name, pid)
  assert(os.execute(("kill -s %s -- %d"):format(name, pid or self:pid())))
end

-- Waits until the program and whatever it leaves have ended. The result has `stdout`, `stderr`,
-- `status` (exit status) or `signal` (the number that killed it), `elapsed` in seconds. Fails when
-- the program, or a process that it leaves, does not end in time.
function Run:finish()
  local piped = self.options.pipe and self.handle:read "a"
  local _, how, code = self.handle:close()
  local result = { [how == "exit" and "status" or "signal"] = code }
  result.elapsed = system.monotime() - self.began
  local late, left = result.elapsed >= self.deadline, nil
  poll(late and 0 or LINGER, function()
    left = marked(self.mark)
    -- Twice: who forks and ends after the list was made, and before it is read, is not in it.
    if #left == 0 then left = marked(self.mark) end
    return #left == 0
  end)
  if #left > 0 then os.execute("kill -KILL " .. table.concat(left, " ")) end
  result.stdout = piped or read_file(self.base .. ".out")
  result.stderr = read_file(self.base .. ".err")
  for _, suffix in ipairs { "", ".pid", ".out", ".err" } do os.remove(self.base .. suffix) end
  if late or #left > 0 then
    error(("%s\nstdout:\n%s\nstderr:\n%s"):format(late and "the program did not end in time"
      or #left .. " process(es) left behind", result.stdout, result.stderr), 0)
  end
  return result
end

function support.run(source, options)
  return support.start(source, options):finish()
end

-- A program whose `report(name, ...)` lines are read as fields of the returned table, as text: the
-- values with a space between. It runs once, when the first field is asked for, and must end with
-- status 0 (or options.status). Called as a function the table gives the result of `support.run`.
function support.fixture(source, options)
  local expected = options and options.status or 0
  local done, result, values
  local function run()
    if not done then
      done, result = true, table.pack(pcall(support.run, source, options))
      values = {}
      if result[1] then
        for name, value in result[2].stdout:gmatch "([^\t\n]+)\t([^\n]*)" do
          values[name] = value
        end
      end
    end
    if not result[1] then error(result[2], 0) end
    return result[2]
  end
  local function field(_, name)
    local r = run()
    if r.status ~= expected or values[name] == nil then
      error(("'%s' was %sreported; status %s, signal %s\nstdout:\n%s\nstderr:\n%s"):format(name,
        values[name] and "" or "not ", r.status, r.signal, r.stdout, r.stderr), 0)
    end
    return values[name]
  end
  return setmetatable({}, { __index = field, __call = run })
end

-- How many times the plain text `part` stands in `text`.
function support.count(text, part)
  local n, from = 0, 1
  while true do
    local first, last = text:find(part, from, true)
    if not first then return n end
    n, from = n + 1, last + 1
  end
end

-- Fails unless `text` has every further argument in it, as plain text in any case of letters; of
-- alternatives, separated by "|", one.
function support.mentions(text, ...)
  for _, part in ipairs { ... } do
    local found = false
    for alternative in part:lower():gmatch "[^|]+" do
      found = found or text:lower():find(alternative, 1, true) ~= nil
    end
    if not found then error(("%q is missing in: %s"):format(part, text), 2) end
  end
end

return support
