-- Checks that no line of the C files below some folders has more than 100 columns. (luacheck does
-- the same for Lua.)
--
--   lua5.4 tools/check_lines.lua FOLDER...
--   lua5.4 tools/check_lines.lua --self-test   does the check notice what it should?

local COLUMNS = 100

-- The numbers of the lines of `text` that are too long. A character is a column; what is not UTF-8
-- counts by bytes.
local function long_lines(text)
  local list, number = {}, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    if (utf8.len(line) or #line) > COLUMNS then list[#list + 1] = number end
  end
  return list
end

local function check_folders(folders)
  local failures, files = 0, 0
  local pipe <close> = assert(io.popen("find " .. folders .. " -name '*.[ch]' | sort"))
  for path in pipe:lines() do
    local input <close> = assert(io.open(path))
    files = files + 1
    for _, number in ipairs(long_lines(input:read("a"))) do
      failures = failures + 1
      io.stderr:write(("%s:%d: more than %d columns\n"):format(path, number, COLUMNS))
    end
  end
  print(("lines: %d files, %d complaints"):format(files, failures))
  return failures == 0 and files > 0
end

local function self_test()
  local fits, long = ("é"):rep(COLUMNS), ("é"):rep(COLUMNS + 1)
  local found = long_lines(table.concat({ fits, long, "", "\xff" .. ("x"):rep(COLUMNS) }, "\n"))
  local good = #found == 2 and found[1] == 2 and found[2] == 4
  if not good then io.stderr:write("self-test: found ", table.concat(found, ", "), "\n") end
  return good
end

if arg[1] == "--self-test" then os.exit(self_test()) end
os.exit(check_folders(table.concat(arg, " ")))
