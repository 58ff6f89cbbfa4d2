-- How often each word stands in a text, counted by eight processes in one shared dict.
--
--   mpl examples/word_count.lua [MB]
--
-- Each process takes every eighth piece of the text and counts its words with `incr`, which loses
-- and repeats nothing, whoever else counts the same word at the same time. In the end this process
-- counts them all alone, and compares. The text, by default of 1 MB, is made here.

local process = require "process"

local WORKERS <const>, PIECE <const> = 8, 1 << 16

-- Pieces of about 64 KiB with words of one to three syllables; everywhere the same.
local function make_text(bytes)
  local syllables, pieces, number = { "ba", "do", "fu", "ke", "li", "mo", "nu" }, {}, 1
  for at = 1, bytes // PIECE do
    local words, size = {}, 0
    while size < PIECE do
      number = number * 16807 % 0x7fffffff
      local word = syllables[number % 7 + 1]
      for i = 1, number // 100 % 3 do word = word .. syllables[number // 1000 % (5 + i) + 1] end
      words[#words + 1] = word
      size = size + #word + 1
    end
    pieces[at] = table.concat(words, " ")
  end
  return pieces
end

local text = make_text((math.tointeger(arg[1]) or 1) << 20)
local counts, incr = process.dict(), process.dict.incr

local function count(worker)
  for i = worker, #text, WORKERS do
    for word in text[i]:gmatch "%a+" do incr(counts, word, 1) end
  end
end

local began = process.now()
local list = {}
for worker = 1, WORKERS do list[worker] = process.Process(count, worker):start() end
for _, p in ipairs(list) do p:join() end
if arg[1] then print(("counted in %.2f s"):format(process.now() - began)) end

local alone, total, wrong = {}, 0, 0
for _, piece in ipairs(text) do
  for word in piece:gmatch "%a+" do
    alone[word] = (alone[word] or 0) + 1
    total = total + 1
  end
end
for word, n in pairs(counts) do
  if alone[word] ~= n then wrong = wrong + 1 end
  alone[word] = nil
end
for _ in pairs(alone) do wrong = wrong + 1 end
print(("%d words, %d different, %d wrong counts"):format(total, #counts, wrong))
