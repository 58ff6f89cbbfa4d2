-- Runs test programs, one process each, and closes with the line "N passed, M failed".
--
--   lua5.4 tools/run_tests.lua [--label WORD] [--mpl PATH] [--so DIR] [--timeout SECONDS]
--     [--jobs N] TEST...
--
-- Up to N tests (3, for some sleep most of their time) run at a time. They start in the order given
-- and are reported as they end.
--
-- A TEST is a program (runs as it is), a busted file (*_spec.lua, run by busted under mpl) or
-- another Lua file (run by mpl). It has passed if its exit status is 0 and it did not say otherwise
-- in a closing line. Nothing is passed over in silence: a spec that is pending, a spec file without
-- a test and a program that was named but does not run are failures.
--
-- Tests find the mpl to start in the environment variable MPL, the folder of process.so in MPL_SO.

local options = { label = "", mpl = "mpl", so = "", timeout = "300", jobs = "3" }

-- Takes the options off the list of arguments; what is left are the tests.
local function read_arguments(list)
  local tests = {}
  local i = 1
  while i <= #list do
    local name = list[i]:match("^%-%-(%l+)$")
    if name then
      assert(options[name], "unknown option " .. list[i])
      options[name] = assert(list[i + 1], list[i] .. " needs a value")
      i = i + 2
    else
      tests[#tests + 1] = list[i]
      i = i + 1
    end
  end
  return tests
end

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function first_line(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read("l")
end

local function absolute(path)
  return path:sub(1, 1) == "/" and path or first_line("pwd") .. "/" .. path
end

-- Counts of busted's closing line. What is pending has not been tested, so it has not passed.
local function busted_counts(output)
  local pattern = "(%d+) success%l* / (%d+) failure%l* / (%d+) error%l* / (%d+) pending"
  local passed, failed, errors, pending
  for a, b, c, d in output:gmatch(pattern) do passed, failed, errors, pending = a, b, c, d end
  if not passed then return nil end
  return tonumber(passed), tonumber(failed) + tonumber(errors) + tonumber(pending)
end

-- Counts of a plain closing line; a program without one is one test.
local function plain_counts(output, status)
  local passed, failed = output:match("(%d+) passed, (%d+) failed%s*$")
  if passed then return tonumber(passed), tonumber(failed) end
  if status == 0 then return 1, 0 end
  return 0, 1
end

-- Makes sure that the counts and the exit status tell the same, and that there was a test at all.
local function judge(passed, failed, status)
  if not passed then return 0, 1 end
  if failed == 0 and (status ~= 0 or passed == 0) then return passed, 1 end
  return passed, failed
end

local function command_of(test)
  local mpl = quote(absolute(options.mpl))
  if test:find("_spec%.lua$") then
    return mpl .. ' "$(command -v busted)" -o plainTerminal ' .. quote(test), busted_counts
  elseif test:find("%.lua$") then
    return mpl .. " " .. quote(test), plain_counts
  end
  return quote(absolute(test)), plain_counts
end

-- The program that runs test number i under a time limit that also ends what the test has started.
-- It is over when its output is, which stays in the folder beside its exit status; then it says so.
local function script_of(test, i, folder)
  local command = command_of(test)
  local whole = "exec env MPL=" .. quote(absolute(options.mpl)) .. " MPL_SO="
    .. quote(absolute(options.so)) .. " " .. command
  return ("began=$(date +%%s.%%N); cd %s || exit\n"):format(quote(absolute(".")))
    .. ("{ timeout -k 10 %s sh -c %s; echo $? >%s/%d.status; } 2>&1 </dev/null | cat >%s/%d.out\n")
      :format(options.timeout, quote(whole), folder, i, folder, i)
    .. ('echo %d "$began" "$(date +%%s.%%N)"\n'):format(i)
end

local function read_file(name)
  local file <close> = assert(io.open(name))
  return file:read("a")
end

local function write_file(name, text)
  local file <close> = assert(io.open(name, "w"))
  assert(file:write(text))
end

-- Starts all tests; the pipe has a line "number began ended" for each, as they end.
local function start(tests, folder)
  for i, test in ipairs(tests) do
    write_file(("%s/%d.sh"):format(folder, i), script_of(test, i, folder))
  end
  return assert(io.popen(("seq %d | xargs -P %s -I{} sh %s/{}.sh"):format(#tests, options.jobs,
    folder)))
end

-- Reports a test that is over. Its exit status is 124 or 137 if its time was up.
local function report(test, stem, seconds)
  local _, counts = command_of(test)
  local output, status = read_file(stem .. ".out"), tonumber(read_file(stem .. ".status"))
  local passed, failed = counts(output, status)
  passed, failed = judge(passed, failed, status)
  local word = failed == 0 and "ok    " or "FAILED"
  print(("%s %-40s %4d passed %6.1f s"):format(word, test, passed, seconds))
  if failed > 0 then print(output .. "exit status " .. status) end
  io.stdout:flush()
  return passed, failed
end

local function main(tests)
  local all_passed, all_failed, left = 0, 0, #tests
  local folder = first_line("mktemp -d")
  local pipe = start(tests, folder)
  for line in pipe:lines() do
    local i, began, ended = line:match("^(%d+) ([%d.]+) ([%d.]+)$")
    local passed, failed = report(tests[tonumber(i)], folder .. "/" .. i, ended - began)
    all_passed, all_failed, left = all_passed + passed, all_failed + failed, left - 1
  end
  local ran = pipe:close() and left == 0
  os.execute("rm -r " .. quote(folder))
  assert(ran, "not all tests have run")
  local label = options.label ~= "" and options.label .. " " or ""
  print(("%s%d passed, %d failed"):format(label, all_passed, all_failed))
  return all_failed == 0 and all_passed > 0
end

os.exit(main(read_arguments(arg)))
