-- Runs the scripts of examples/ and compares what they do with examples/expect/NAME.lua.
--
--   ./mpl test/run_examples.lua [name ...]
--
-- Prints a line for each complaint, then a summary; the exit status is 1 after a failure. The
-- runner tests itself first.

local root = arg[0]:match("^(.*)test/[^/]*$") or "../"
package.path = root .. "test/examples_lib/?.lua;" .. package.path

local program = require "program"
local self_test = require "self_test"

-- Longer than this and a script is no good read any more.
local LINE_LIMIT = 60

local function interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

local function names_in(folder)
  local names = {}
  local list <close> = assert(io.popen("ls " .. root .. folder))
  for file in list:lines() do names[#names + 1] = file:match("^(.+)%.lua$") end
  return names
end

local function contents(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- What a reader may count on: a head comment, few lines, a place in the index.
local function check_form(name, index, complaints)
  local text = contents(root .. "examples/" .. name .. ".lua")
  if text:sub(1, 3) ~= "-- " then complaints[#complaints + 1] = "begins with no comment" end
  local _, lines = text:gsub("\n", "")
  if lines >= LINE_LIMIT then complaints[#complaints + 1] = "has " .. lines .. " lines" end
  if not index:find("(" .. name .. ".lua)", 1, true) then
    complaints[#complaints + 1] = "is missing in examples/README.md"
  end
end

local function check_example(name, index)
  local path = root .. "examples/expect/" .. name .. ".lua"
  local expectation, why = loadfile(path, "t", { ipairs = ipairs })
  if not expectation then return { "no expectation: " .. why } end
  local ok, complaints = pcall(function()
    return program.check({ interpreter(), root .. "examples/" .. name .. ".lua" }, expectation())
  end)
  if not ok then complaints = { tostring(complaints) } end
  check_form(name, index, complaints)
  return complaints
end

-- Expectations of examples that do not exist, which nobody would ever look at.
local function strays(names)
  local known, list = {}, {}
  for _, name in ipairs(names) do known[name] = true end
  for _, name in ipairs(names_in("examples/expect")) do
    if not known[name] then list[#list + 1] = name end
  end
  return list
end

local function main(wanted)
  local passed, failed = 0, 0
  local function count(name, complaints)
    for _, text in ipairs(complaints) do print(name .. ": " .. text) end
    if #complaints == 0 then passed = passed + 1 else failed = failed + 1 end
  end
  local index = contents(root .. "examples/README.md")
  if #wanted == 0 then
    wanted = names_in("examples")
    count("self-test", self_test.run())
    for _, name in ipairs(strays(wanted)) do count(name, { "an expectation without a script" }) end
  end
  for _, name in ipairs(wanted) do
    name = name:match("([^/]+)%.lua$") or name
    count(name, check_example(name, index))
  end
  print(("%d passed, %d failed"):format(passed, failed))
  return failed == 0
end

os.exit(main(arg))
