-- How often each word stands in a text, counted by eight processes in one shared dict.
--
--   mpl examples/word_count.lua [MB]
--
-- Each process takes every eighth piece of the text and counts its words with `incr`, which loses
-- and repeats nothing, whoever else counts the same word at the same time. In the end this process
-- counts them all alone, and compares. The text, by default of 1 MB, is made here.

local process = require "process"

local MB <const> = math.tointeger(arg[1]) or 1
local WORKERS <const>, PIECE <const> = 8, 1 << 16

-- Words of one to three syllables.
local function vocabulary()
  local syllables, words = { "ba", "do", "fu", "ke", "li", "mo", "nu", "ra", "si", "te" }, {}
  for _, first in ipairs(syllables) do
    words[#words + 1] = first
    for i, second in ipairs(syllables) do
      words[#words + 1] = first .. second
      words[#words + 1] = first .. second .. syllables[11 - i]
    end
  end
  table.sort(words, function(a, b) return #a < #b or #a == #b and a < b end)
  return words
end

-- Pieces of about 64 KiB, in which short words are the frequent ones; everywhere the same.
local function make_text(bytes)
  local words, pieces, number = vocabulary(), {}, 1
  while bytes > 0 do
    local piece, size = {}, 0
    while size < PIECE do
      number = number * 16807 % 0x7fffffff
      local word = words[(number % 1000) ^ 2 * #words // 1000000 + 1 | 0]
      piece[#piece + 1] = word
      size = size + #word + 1
    end
    pieces[#pieces + 1] = table.concat(piece, " ")
    bytes = bytes - size
  end
  return pieces
end

local text = make_text(MB << 20)
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
local together = process.now() - began

began = process.now()
local alone, words, wrong = {}, 0, 0
for _, piece in ipairs(text) do
  for word in piece:gmatch "%a+" do
    alone[word] = (alone[word] or 0) + 1
    words = words + 1
  end
end
local single = process.now() - began

for word, n in pairs(counts) do
  if alone[word] ~= n then wrong = wrong + 1 end
  alone[word] = nil
end
for _ in pairs(alone) do wrong = wrong + 1 end
print(("%d words, %d different, %d wrong counts"):format(words, #counts, wrong))
if arg[1] then
  print(("eight processes: %.2f s, one with a plain table: %.2f s"):format(together, single))
end
