-- Runs a program as a user would, once with its output in a file and once in a pipe, and says in
-- what it differs from what is expected of it.
--
-- An expectation is a table; all of its fields are optional:
--   out      the lines of the standard output, a pattern (see pattern.lua); none by default
--   err      the same for the standard error
--   where    the meaning of names in those patterns
--   before   pairs { "a", "b" }: the line a stands before the first line b
--   status   the exit status, or -N for an end by signal N; 0 by default
--   seconds  { least, most }: the time from start to end
--   outlives seconds that processes of the program may live on after its end; without it, any
--            process that is left at the end is a failure
--   limit    seconds after which the program is taken for hung and killed; 20 by default
--
-- Every run carries a mark in its environment, which all processes of the program inherit and none
-- can lose, so that those left over are found wherever they went.
-- Standard Lua and a shell are enough here: the module that is being tested is not used.

local pattern = require "pattern"

local program = {}

local FIELDS = { out = true, err = true, where = true, before = true, status = true,
  seconds = true, outlives = true, limit = true }

-- What /proc/uptime may be off, in seconds.
local CLOCK_ERROR = 0.02

local runs = 0

local function new_mark()
  runs = runs + 1
  return ("%d-%08x-%d"):format(os.time(), math.random(0, 0xffffffff), runs)
end

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local function shell_lines(command)
  local lines = {}
  local pipe <close> = assert(io.popen(command))
  for line in pipe:lines() do lines[#lines + 1] = line end
  return lines
end

local function uptime()
  return tonumber(read_file("/proc/uptime"):match("^%S+"))
end

-- What os.execute and a pipe's close say, as one number.
local function status_of(_, how, code)
  return how == "signal" and -code or code
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The pids of the living processes that carry the mark. A zombie has no environment any more.
local function marked(mark)
  local command = ("grep -lsF MPL_EXAMPLE_RUN=%s /proc/[0-9]*/environ"):format(mark)
  local pids = {}
  for _, line in ipairs(shell_lines(command)) do pids[#pids + 1] = line:match("%d+") end
  return pids
end

-- The same, looked for again if nobody was found: who forks and ends after the list of processes
-- was made, and before it is read, leaves a child that is not in it.
local function left_running(mark)
  local pids = marked(mark)
  return #pids > 0 and pids or marked(mark)
end

-- Waits until no marked process is left, at most so many seconds. Those that are left then are
-- killed; the result is their list.
local function wait_until_gone(mark, seconds)
  local deadline = uptime() + seconds
  local pids = left_running(mark)
  while #pids > 0 and uptime() < deadline do
    os.execute("sleep 0.02")
    pids = left_running(mark)
  end
  for _, pid in ipairs(pids) do os.execute(("kill -9 %s 2>/dev/null"):format(pid)) end
  return pids
end

-- One shell command that runs the program; `timeout` takes its whole process group along.
local function command_line(run, command, limit, redirection)
  return ("exec env MPL_EXAMPLE_RUN=%s timeout -s KILL %d %s </dev/null 2>%s %s")
    :format(run.mark, limit, command, run.err_path, redirection)
end

local function new_run(name)
  return { name = name, mark = new_mark(), out_path = os.tmpname(), err_path = os.tmpname() }
end

local function collect(run)
  run.out = run.out or read_file(run.out_path)
  run.err = read_file(run.err_path)
  os.remove(run.out_path)
  os.remove(run.err_path)
end

-- Both runs at once, which saves half of the time that examples sleep.
local function run_both(command, expectation)
  local limit = expectation.limit or 20
  local file, pipe = new_run("to a file"), new_run("to a pipe")
  local stream = assert(io.popen(command_line(pipe, command, limit, "")))
  local start = uptime()
  file.status = status_of(os.execute(command_line(file, command, limit, ">" .. file.out_path)))
  file.seconds = uptime() - start
  file.left = wait_until_gone(file.mark, expectation.outlives or 0)
  -- A process that is left would hold the pipe open: read it when they have all ended.
  pipe.left = wait_until_gone(pipe.mark, limit + 1)
  pipe.out = stream:read("a")
  pipe.status = status_of(stream:close())
  pipe.seconds = uptime() - start
  collect(file)
  collect(pipe)
  return file, pipe
end

local function index_of(lines, text)
  for i, line in ipairs(lines) do
    if line == text then return i end
  end
end

local function judge_order(lines, before, complain)
  for _, pair in ipairs(before or {}) do
    local first, second = index_of(lines, pair[1]), index_of(lines, pair[2])
    if not (first and second and first < second) then
      complain(("%q does not stand before %q"):format(pair[1], pair[2]))
    end
  end
end

local function judge(run, expectation, complaints)
  local function complain(text)
    complaints[#complaints + 1] = run.name .. ": " .. text
  end
  local status, limit = expectation.status or 0, expectation.limit or 20
  if run.seconds >= limit then
    complain(("hangs: killed after %d s"):format(limit))
  elseif run.status ~= status then
    complain(("exit status %d, expected %d"):format(run.status, status))
  end
  local out = pattern.lines(run.out)
  local fits, why = pattern.match(expectation.out or {}, out, expectation.where)
  if not fits then complain("stdout: " .. why) end
  fits, why = pattern.match(expectation.err or {}, pattern.lines(run.err), expectation.where)
  if not fits then complain("stderr: " .. why) end
  judge_order(out, expectation.before, complain)
  if #run.left > 0 then complain("left running: " .. table.concat(run.left, ", ")) end
end

local function judge_seconds(run, expectation, complaints)
  local span = expectation.seconds
  if span and (run.seconds + CLOCK_ERROR < span[1] or run.seconds > span[2]) then
    complaints[#complaints + 1] = ("took %.2f s, expected %g to %g")
      :format(run.seconds, span[1], span[2])
  end
end

--- Runs the program in both ways and compares.
-- @param command a list: the program and its arguments
-- @param expectation see the head of this file; an unknown field is an error
-- @return a list of complaints, empty where all is as expected
function program.check(command, expectation)
  for field in pairs(expectation) do
    if not FIELDS[field] then error("unknown field in the expectation: " .. field, 0) end
  end
  local words = {}
  for i, word in ipairs(command) do words[i] = quoted(word) end
  local file, pipe = run_both(table.concat(words, " "), expectation)
  local complaints = {}
  judge(file, expectation, complaints)
  judge(pipe, expectation, complaints)
  judge_seconds(file, expectation, complaints)
  return complaints
end

return program
