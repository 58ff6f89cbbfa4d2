-- Checks that each source file includes only its own layer and lower ones.
--
--   lua5.4 tools/check_layers.lua FOLDER LAYER...   the layers of FOLDER, lowest first
--   lua5.4 tools/check_layers.lua --self-test       does the check notice what it should?
--
-- Rules: include lines with quotes are written from FOLDER and name the file's own layer or a
-- lower one; Lua's headers are for `bind` and `host`; <stdatomic.h> is for base/atomic.h; every
-- folder is a known layer.

local LUA_HEADERS = { ["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true }
local LUA_LAYERS = { bind = true, host = true }

local function rank_of(layers)
  local rank = {}
  for i, layer in ipairs(layers) do rank[layer] = i end
  return rank
end

-- What is wrong with an include line of `file` ("base/os.c"), or nil.
local function complaint(rank, file, open, header)
  local layer = file:match("^([^/]+)/")
  if open == '"' then
    local target = header:match("^([^/]+)/")
    if not rank[target] then return "is not written LAYER/FILE" end
    if rank[target] > rank[layer] then return "reaches up from " .. layer end
  elseif LUA_HEADERS[header] and not LUA_LAYERS[layer] then
    return "uses Lua below bind"
  elseif header == "stdatomic.h" and file ~= "base/atomic.h" then
    return "belongs to base/atomic.h"
  end
end

-- Complaints about one file's text, each with its place.
local function check_text(rank, file, text)
  local list = {}
  if not rank[file:match("^([^/]+)/")] then return { file .. ": in no known layer" } end
  local number = 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local open, header = line:match('^%s*#%s*include%s*(["<])([^">]+)[">]')
    local why = open and complaint(rank, file, open, header)
    if why then list[#list + 1] = ("%s:%d: include of %s %s"):format(file, number, header, why) end
  end
  return list
end

local function check_folder(folder, layers)
  local rank = rank_of(layers)
  local failures, files = 0, 0
  local pipe <close> = assert(io.popen("cd '" .. folder .. "' && find . -name '*.[ch]' | sort"))
  for path in pipe:lines() do
    local file = path:gsub("^%./", "")
    local input <close> = assert(io.open(folder .. "/" .. file))
    files = files + 1
    for _, text in ipairs(check_text(rank, file, input:read("a"))) do
      failures = failures + 1
      io.stderr:write(folder, "/", text, "\n")
    end
  end
  print(("layers: %d files, %d complaints"):format(files, failures))
  return failures == 0 and files > 0
end

local function self_test()
  local rank = rank_of({ "base", "shm", "bind", "host" })
  local cases = { -- file, line, is it wrong?
    { "shm/heap.c", '#include "shm/heap.h"', false },
    { "shm/heap.c", '#include "base/os.h"', false },
    { "shm/heap.c", "#include <string.h>", false },
    { "bind/queue.c", "#include <lua.h>", false },
    { "base/atomic.h", "#include <stdatomic.h>", false },
    { "shm/heap.c", '#include "bind/module.h"', true },
    { "shm/heap.c", "int x;\n#  include \"host/run.h\" /* why */", true },
    { "shm/heap.c", '#include "heap.h"', true },
    { "shm/heap.c", '#include "../shm/heap.h"', true },
    { "shm/heap.c", "#include <lauxlib.h>", true },
    { "bind/queue.c", "#include <stdatomic.h>", true },
    { "other/x.c", "", true },
  }
  local failures = 0
  for _, case in ipairs(cases) do
    local wrong = #check_text(rank, case[1], case[2]) > 0
    if wrong ~= case[3] then
      failures = failures + 1
      io.stderr:write("self-test: ", case[1], ": ", case[2], "\n")
    end
  end
  return failures == 0
end

if arg[1] == "--self-test" then os.exit(self_test()) end
os.exit(check_folder(arg[1], table.move(arg, 2, #arg, 1, {})))
