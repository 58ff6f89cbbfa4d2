-- Shows that the runner can fail: outputs that a pattern must refuse beside those it must take, and
-- programs that misbehave in every way the runner is there to notice.

local pattern = require "pattern"
local program = require "program"

local self_test = {}

local ticks = { mixed = true, { times = 2, "tick <child>" }, "main <main>" }
local blocks = { any_order = true, { "1 in", "1 out" }, { "2 in", "2 out" } }

-- { pattern, output, whether it fits, where }
local OUTPUTS = {
  { {}, "", true },
  { {}, "a\n", false },
  { { "a" }, "", false },
  { { "a" }, "a\n", true },
  { { "a" }, "a", true },
  { { "a" }, "a\n\n", false },
  { { "a" }, "a\na\n", false },
  { { "a.b" }, "axb\n", false },
  { { "a", "b" }, "a\nb\n", true },
  { { "a", "b" }, "b\na\n", false },
  { { mixed = true, "a", "b" }, "b\na\n", true },
  { { mixed = true, "a", "b" }, "b\nb\n", false },
  { { mixed = true, "a", "b" }, "b\n", false },
  { ticks, "tick 7\nmain 8\ntick 7\n", true },
  { ticks, "tick 7\nmain 8\ntick 9\n", false },
  { ticks, "tick 7\nmain 7\ntick 7\n", false },
  { ticks, "tick 7\ntick 7\ntick 7\nmain 8\n", false },
  { ticks, "tick x\nmain 8\ntick x\n", false },
  { { mixed = true, { "a", "b" }, { "c", "d" } }, "c\na\nd\nb\n", true },
  { { mixed = true, { "a", "b" }, { "c", "d" } }, "c\nb\nd\na\n", false },
  { blocks, "2 in\n2 out\n1 in\n1 out\n", true },
  { blocks, "2 in\n1 in\n1 out\n2 out\n", false },
  { { { times = { 1, 3 }, "a" }, "b" }, "b\n", false },
  { { { times = { 1, 3 }, "a" }, "b" }, "a\nb\n", true },
  { { { times = { 1, 3 }, "a" }, "b" }, "a\na\na\nb\n", true },
  { { { times = { 1, 3 }, "a" }, "b" }, "a\na\na\na\nb\n", false },
  { { { times = { 0, 1 }, "a" }, { times = 2, "b", "c" } }, "b\nc\nb\nc\n", true },
  { { { times = { 0, 1 }, "a" }, { times = 2, "b", "c" } }, "a\nb\nb\nc\nc\n", false },
  { { "took <t>" }, "took 0.25\n", true, { t = { 0.2, 0.5 } } },
  { { "took <t>" }, "took 0.15\n", false, { t = { 0.2, 0.5 } } },
  { { "took <t>" }, "took long\n", false, { t = { 0.2, 0.5 } } },
  { { "<s>", "<s>" }, "gone\nzombie\n", true, { s = { "gone", "zombie" } } },
  { { "<s>" }, "alive\n", false, { s = { "gone", "zombie" } } },
  { { "<w>!" }, "ab!\n", true, { w = "%a+" } },
  { { "<w>!" }, "12!\n", false, { w = "%a+" } },
}

-- { program for the shell, expectation, what a complaint must say; nil where there must be none }
local PROGRAMS = {
  { "echo a; echo b >&2; exit 3", { out = { "a" }, err = { "b" }, status = 3 } },
  { "echo a", { out = { "b" } }, "to a file: stdout: line 1" },
  { "echo a", { out = { "b" } }, "to a pipe: stdout: line 1" },
  { "echo a >&2", {}, "stderr: line 1" },
  { "exit 1", {}, "exit status 1, expected 0" },
  { "kill -9 $$", { status = -9 } },
  { "kill -9 $$", {}, "exit status -9, expected 0" },
  { "echo b; echo a", { out = { "b", "a" }, before = { { "a", "b" } } }, "does not stand before" },
  { "echo a", { out = { "a" }, before = { { "a", "b" } } }, "does not stand before" },
  { "true", { seconds = { 1, 2 } }, "expected 1 to 2" },
  { "sleep 0.3", { seconds = { 0, 0.2 } }, "expected 0 to 0.2" },
  { "sleep 9", { limit = 1 }, "hangs: killed after 1 s" },
  { "sleep 1 &", {}, "to a file: left running: " },
  { "setsid sleep 1 >/dev/null 2>&1 &", {}, "to a file: left running: " },
  { "sleep 4 &", { outlives = 0.1, limit = 1 }, "to a pipe: left running: " },
  { "(sleep 0.3; echo late) &", { out = { "late" }, outlives = 5 } },
  { "test -t 1 && echo a; test -p /dev/stdout && echo b", { out = { "b" } }, "to a file" },
}

local function test_outputs(failures)
  for i, case in ipairs(OUTPUTS) do
    local spec, output, expected, where = table.unpack(case, 1, 4)
    local fits, why = pattern.match(spec, pattern.lines(output), where)
    if (fits or false) ~= expected then
      failures[#failures + 1] = ("output %d: %s"):format(i, why or "was taken")
    end
  end
end

local function test_programs(failures)
  for i, case in ipairs(PROGRAMS) do
    local script, expectation, expected = table.unpack(case, 1, 3)
    local said = table.concat(program.check({ "sh", "-c", script }, expectation), "; ")
    if expected and not said:find(expected, 1, true) or not expected and said ~= "" then
      failures[#failures + 1] = ("program %d: %s"):format(i, said)
    end
  end
end

--- Runs it all.
-- @return a list of what went wrong
function self_test.run()
  local failures = {}
  test_outputs(failures)
  test_programs(failures)
  if pcall(program.check, { "true" }, { stats = 0 }) then
    failures[#failures + 1] = "an unknown field was taken"
  end
  return failures
end

return self_test
