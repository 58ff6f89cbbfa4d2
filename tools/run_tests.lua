-- Runs test programs, one process each, and closes with the line "N passed, M failed".
--
--   lua5.4 tools/run_tests.lua [--label WORD] [--mpl PATH] [--so DIR] [--timeout SECONDS]
--     [--jobs N] TEST...
--
-- Up to N tests (2) run at a time, and are reported in their order.
--
-- A TEST is a program (runs as it is), a busted file (*_spec.lua, run by busted under mpl) or
-- another Lua file (run by mpl). It has passed if its exit status is 0 and it did not say otherwise
-- in a closing line. Nothing is passed over in silence: a spec that is pending, a spec file without
-- a test and a program that was named but does not run are failures.
--
-- Tests find the mpl to start in the environment variable MPL, the folder of process.so in MPL_SO.

local options = { label = "", mpl = "mpl", so = "", timeout = "300", jobs = "2" }

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

local function now()
  return tonumber(first_line("date +%s.%N"))
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

-- Starts a test under a time limit that also ends what the test has started. It is over when its
-- output is.
local function start(test)
  local command, counts = command_of(test)
  local whole = "exec env MPL=" .. quote(absolute(options.mpl)) .. " MPL_SO="
    .. quote(absolute(options.so)) .. " " .. command
  local limited = ("timeout -k 10 %s sh -c %s 2>&1 </dev/null; s=$?; echo; date +%%s.%%N; exit $s")
    :format(options.timeout, quote(whole))
  return { test = test, counts = counts, began = now(), pipe = assert(io.popen(limited)) }
end

-- Waits for the end of a test, whose exit status is 124 or 137 if its time was up, and reports it.
local function finish(running)
  local output, ended = running.pipe:read("a"):match("^(.-)\n([%d.]+)\n$")
  local _, _, status = running.pipe:close()
  local passed, failed = running.counts(output, status)
  passed, failed = judge(passed, failed, status)
  local word = failed == 0 and "ok    " or "FAILED"
  print(("%s %-40s %4d passed %6.1f s"):format(word, running.test, passed,
    tonumber(ended) - running.began))
  if failed > 0 then print(output .. "exit status " .. status) end
  io.stdout:flush()
  return passed, failed
end

local function main(tests)
  local all_passed, all_failed, running = 0, 0, {}
  for i = 1, #tests do
    for ahead = i, math.min(i + tonumber(options.jobs) - 1, #tests) do
      running[ahead] = running[ahead] or start(tests[ahead])
    end
    local passed, failed = finish(running[i])
    all_passed, all_failed = all_passed + passed, all_failed + failed
  end
  local label = options.label ~= "" and options.label .. " " or ""
  print(("%s%d passed, %d failed"):format(label, all_passed, all_failed))
  return all_failed == 0 and all_passed > 0
end

os.exit(main(read_arguments(arg)))
