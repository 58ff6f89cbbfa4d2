-- Runs every Lua example of the manual in a process of its own and compares what it does with what
-- the page says.
--
--   ./mpl test/run_manual.lua [page ...]
--
-- Marks in an example, at the end of a line or alone on it:
--   --> text     a line of standard output; all of them, in their order, are the whole output.
--                An example without this mark may print what it likes.
--   --! text     stands somewhere on standard error, which must be empty without this mark
--   --exit N     the exit status, 0 without this mark
-- "..." in a text stands for anything; a run of spaces or tabs is one space.
--
-- It is also a failure if a page has a link that leads nowhere, or if no page mentions something
-- that the module has. The checks are tested themselves first.

local root = arg[0]:match("^(.*)test/[^/]*$") or "../"

-- Seconds after which an example is taken for hung.
local LIMIT = 20

local function shell_lines(command)
  local lines = {}
  local pipe <close> = assert(io.popen(command))
  for line in pipe:lines() do lines[#lines + 1] = line end
  return lines
end

-- The mpl that runs this, as it is called from any folder.
local function interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  local path = arg[first]
  return path:find("^[^/].*/") and shell_lines("pwd")[1] .. "/" .. path or path
end

local function read_file(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--------------------------------------------------------------------------------
-- What a page says

-- The Lua examples of a page: { line = where it begins, text = its source }.
local function examples_in(page)
  local list, current, number = {}, nil, 0
  for line in page:gmatch("([^\n]*)\n") do
    number = number + 1
    if line == "```lua" then
      current = { line = number }
    elseif line == "```" and current then
      current.text = table.concat(current, "\n") .. "\n"
      list[#list + 1] = current
      current = nil
    elseif current then
      current[#current + 1] = line
    end
  end
  assert(not current, "the last example is not closed")
  return list
end

local function normal(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

-- The marks of an example.
local function expectation(text)
  local expected = { out = {}, err = {}, status = 0 }
  for line in text:gmatch("[^\n]+") do
    expected.out[#expected.out + 1] = line:match("%-%->(.*)")
    expected.err[#expected.err + 1] = line:match("%-%-!(.*)")
    expected.status = tonumber(line:match("%-%-exit (%d+)")) or expected.status
  end
  return expected
end

-- A Lua pattern for a text in which "..." stands for anything.
local function pattern_of(text)
  local pattern = normal(text):gsub("%W", "%%%0"):gsub("%%%.%%%.%%%.", ".*")
  return pattern
end

--------------------------------------------------------------------------------
-- What an example does

-- Runs an example in the folder. Returns its standard output, its standard error and its status.
local function run(text, folder)
  local file <close> = assert(io.open(folder .. "/example.lua", "w"))
  file:write(text)
  file:close()
  local command = ("cd %s && timeout -k 2 %d %s example.lua >out 2>err </dev/null")
    :format(quoted(folder), LIMIT, quoted(interpreter()))
  local _, how, status = os.execute(command)
  if how == "signal" then status = 128 + status end
  return read_file(folder .. "/out"), read_file(folder .. "/err"), status
end

local function compare_output(expected, output, complain)
  if #expected == 0 then return end
  local n = 0
  for line in output:gmatch("([^\n]*)\n?") do
    if line ~= "" then
      n = n + 1
      if not expected[n] then
        complain("printed a line too much: " .. line)
      elseif not normal(line):find("^" .. pattern_of(expected[n]) .. "$") then
        complain("printed: " .. line .. "\n  expected:" .. expected[n])
      end
    end
  end
  for i = n + 1, #expected do complain("did not print:" .. expected[i]) end
end

local function compare_errors(expected, output, complain)
  if #expected == 0 and output ~= "" then complain("on standard error: " .. output) end
  for _, text in ipairs(expected) do
    if not normal(output):find(pattern_of(text)) then
      complain("not on standard error:" .. text)
    end
  end
end

-- Runs one example; a list of complaints.
local function check(text, folder)
  local complaints = {}
  local function complain(message) complaints[#complaints + 1] = message end
  local expected = expectation(text)
  local out, err, status = run(text, folder)
  if status ~= expected.status then
    complain(("exit status %s, expected %d"):format(status, expected.status))
  end
  compare_output(expected.out, out, complain)
  compare_errors(expected.err, err, complain)
  return complaints
end

--------------------------------------------------------------------------------
-- The pages as a whole

-- Targets of a page's links that are no files; `path` is the page's.
local function dead_links(page, path)
  local dead, folder = {}, path:match("^(.*/)") or ""
  for target in page:gmatch("%]%(([^)#]+)[^)]*%)") do
    local file = not target:find("^%a+:") and io.open(folder .. target)
    if file then file:close() end
    if file == nil then dead[#dead + 1] = target end
  end
  return dead
end

-- Names of what the module has, each as the manual writes it: "process.Lock", "lock:acquire", and
-- "`incr(d, k" for functions beside a class whose objects have none.
local function names_of(process)
  local names = {}
  for name in pairs(process) do names[#names + 1] = name end
  local methods = { process.Process }
  for name in pairs(process) do
    local class = package.loaded["process." .. name] -- methods of a class written in C
    if type(class) == "table" then methods[#methods + 1] = class end
  end
  for _, class in ipairs(methods) do
    for name, value in pairs(class) do
      if type(value) == "function" then names[#names + 1] = ":" .. name end
    end
  end
  table.sort(names)
  return names
end

-- Those that the text does not mention.
local function missing(names, text)
  local list = {}
  for _, name in ipairs(names) do
    local prefix = name:sub(1, 1) == ":" and "%a" or "process%."
    local is_function = prefix == "%a" and text:find("`" .. name:sub(2) .. "(", 1, true)
    if not is_function and not text:find(prefix .. name .. "%f[^%w_]") then
      list[#list + 1] = name
    end
  end
  return list
end

--------------------------------------------------------------------------------
-- The checks can fail

-- { example, what a complaint must say; nil where there must be none }
local SELF_TESTS = {
  { "print(1) --> 1" },
  { "print('a', 'pid=17') --> a  pid=..." },
  { "print('(a.b)') --> (a.b)" },
  { "print(1) --> 2", "printed: 1" },
  { "print('axb') --> a.b", "printed: axb" },
  { "print('12') --> 1", "printed: 12" },
  { "--> 1", "did not print: 1" },
  { "print(1)\nprint(2)\n--> 1", "a line too much: 2" },
  { "print(2)\nprint(1)\n--> 1\n--> 2", "printed: 2" },
  { "error('no')\n--! no\n--exit 1" },
  { "error('no')\n--! yes\n--exit 1", "not on standard error: yes" },
  { "error('no')", "exit status 1, expected 0" },
  { "--exit 3", "exit status 0, expected 3" },
  { "io.stderr:write('oops')", "on standard error: oops" },
  { "os.execute('kill -9 $PPID')", "exit status 137" },
}

local function self_test(folder)
  local complaints = {}
  for i, case in ipairs(SELF_TESTS) do
    local said = table.concat(check(case[1] .. "\n", folder), "\n")
    local right = case[2] and said:find(case[2], 1, true) or not case[2] and said == ""
    if not right then complaints[#complaints + 1] = "self-test " .. i .. ": " .. said end
  end
  local page = "```lua\na\n```\n[x](no/such.md#part)\n```sh\nb\n```\n"
  local found = examples_in(page)
  if #found ~= 1 or found[1].text ~= "a\n" or #dead_links(page, "") ~= 1 or
    #missing({ "Lock", ":put", ":get" }, "process.Locks q:put(") ~= 2 then
    complaints[#complaints + 1] = "self-test of pages"
  end
  return complaints
end

--------------------------------------------------------------------------------

local function main(pages)
  local passed, failed = 0, 0
  local function count(name, complaints)
    for _, text in ipairs(complaints) do print(name .. ": " .. text) end
    if #complaints == 0 then passed = passed + 1 else failed = failed + 1 end
  end
  local folder = shell_lines("mktemp -d")[1]
  count("self-test", self_test(folder))
  local all = #pages == 0
  if all then
    pages = shell_lines(("ls %sdoc/manual*.md %sdoc/manual/*.md %sdoc/caveats.md")
      :format(root, root, root))
  end
  local whole = {}
  for i, path in ipairs(pages) do
    whole[i] = read_file(path)
    count(path .. ": dead links", dead_links(whole[i], path))
    for _, example in ipairs(examples_in(whole[i])) do
      count(path .. ":" .. example.line, check(example.text, folder))
    end
  end
  if all then
    count("not in the manual", missing(names_of(require "process"), table.concat(whole)))
  end
  os.execute("rm -r " .. quoted(folder))
  print(("%d passed, %d failed"):format(passed, failed))
  return failed == 0
end

os.exit(main(arg))
