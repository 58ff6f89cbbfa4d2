-- The most frequent words of many files, counted in parallel, with a progress bar.
--
--   mpl examples/word_files.lua [file ...]    without files: the Lua files of this folder

local process = require "process"

local files = table.move(arg, 1, #arg, 1, {})
if #files == 0 then
  local folder = arg[0]:match("^(.*)/[^/]*$") or "."
  local list <close> = assert(io.popen("ls " .. folder .. "/*.lua"))
  for path in list:lines() do files[#files + 1] = path end
end

local function count_words(path)
  local counts = {}
  for line in assert(io.lines(path)) do
    for word in line:lower():gmatch("%a+") do counts[word] = (counts[word] or 0) + 1 end
  end
  return counts
end

local pool <close> = process.Pool()
local total, words = {}, {}

-- Results are added up while other files are still being read; a file that cannot be read is told
-- of, and the others go on.
for i, counts, failure in pool:imap_unordered(count_words, files,
  { progress = "files", chunksize = 4, errors = "yield" }) do
  if failure then print("cannot count " .. files[i], failure.value) end
  for word, n in pairs(counts or {}) do
    if not total[word] then words[#words + 1] = word end
    total[word] = (total[word] or 0) + n
  end
end

table.sort(words, function(a, b)
  return total[a] > total[b] or total[a] == total[b] and a < b
end)
for i = 1, math.min(5, #words) do print(("%6d %s"):format(total[words[i]], words[i])) end
