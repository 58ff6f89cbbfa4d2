-- How far a call is: a bar on a terminal, lines elsewhere, or a function of the script's.
--
-- Invariant: on a terminal the bar stands alone on the last line, from the first `update` until
-- `finish` or an error, unless it is hidden; where it does not stand the cursor is where the script
-- has left it.

local core = require "process.core"

local Progress = {}
Progress.__index = Progress

local REDRAW <const> = 0.1 -- seconds between two drawings, at least
local TICK <const> = 0.5 -- seconds after which the bar is drawn though nothing has finished
local QUIET <const> = 0.02 -- seconds without a result after which a bar that was hidden is drawn
local LINES <const> = 10 -- lines of a whole call where there is no terminal
local PAUSE <const> = 10 -- seconds between two lines when nobody knows how many tasks there are
local STDERR <const> = 2

local function show_time(seconds)
  local s = math.floor(seconds + 0.5)
  if s >= 3600 then
    return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60)
  end
  return ("%d:%02d"):format(s // 60, s % 60)
end

local function show_rate(rate)
  return (rate >= 100 and "%.0f/s" or rate >= 1 and "%.1f/s" or "%.2f/s"):format(rate)
end

-- The numbers behind the bar: done, total (or nil), elapsed, rate, eta (or nil), failed.
local function measure(self, done, total, failed)
  local elapsed = core.now() - self.began
  local rate = elapsed > 0 and done / elapsed or 0
  return { done = done, total = total, elapsed = elapsed, rate = rate, failed = failed,
    eta = total and rate > 0 and (total - done) / rate or nil }
end

-- What stands beside the bar.
local function describe(stats)
  local parts = { ("%d%s"):format(stats.done, stats.total and "/" .. stats.total or "") }
  parts[#parts + 1] = show_rate(stats.rate)
  if stats.done == stats.total then
    parts[#parts + 1] = show_time(stats.elapsed)
  elseif stats.eta then
    parts[#parts + 1] = "ETA " .. show_time(stats.eta)
  else
    parts[#parts + 1] = show_time(stats.elapsed)
  end
  if stats.failed > 0 then
    parts[#parts + 1] = stats.failed .. " failed"
  end
  return table.concat(parts, " ")
end

-- How wide a text is; a character of UTF-8 counts as one column.
local function width_of(text)
  return utf8.len(text) or #text
end

-- At most the first `columns` characters.
local function cut(text, columns)
  if width_of(text) <= columns then
    return text
  end
  return text:sub(1, (utf8.len(text) and utf8.offset(text, columns + 1) or columns + 1) - 1)
end

-- The line on a terminal with so many columns; the last stays empty: some would begin a new line.
-- A label that is too long gives way to the numbers.
local function bar_line(self, stats, columns)
  local right = describe(stats)
  local room = columns - width_of(right) - (stats.total and #"100% " or 0) - 2
  local label = self.label and cut(self.label, math.max(room, 0)) or ""
  local left = label ~= "" and label .. " " or ""
  if stats.total then
    local share = stats.total > 0 and stats.done / stats.total or 1
    left = left .. ("%3d%% "):format(math.floor(share * 100))
    local width = math.min(40, columns - width_of(left .. right) - 4)
    if width >= 4 then
      local full = math.floor(share * width)
      left = left .. "|" .. ("#"):rep(full) .. (" "):rep(width - full) .. "| "
    end
  end
  return cut(left .. right, math.max(columns - 1, 1))
end

local function draw(self, stats)
  self.drawn = core.now()
  self.is_on_line, self.interval = true, TICK
  io.stderr:write("\r", bar_line(self, stats, core.terminal(STDERR) or 80), "\27[K")
end

local function write_line(self, stats)
  local share = stats.total and stats.total > 0 and
    ("%3d%% "):format(stats.done * 100 // stats.total) or ""
  io.stderr:write(self.label and self.label .. ": " or "", share, describe(stats), "\n")
end

-- Leaves the bar's line.
local function leave_line(self)
  if self.is_on_line then
    self.is_on_line = false
    io.stderr:write("\n")
  end
end

-- Without a terminal: a line for each tenth, or from time to time.
local function maybe_write(self, stats)
  if stats.total then
    local tenth = stats.total > 0 and stats.done * LINES // stats.total or LINES
    if tenth <= self.tenth then
      return
    end
    self.tenth = tenth
  elseif core.now() < self.drawn + PAUSE then
    return
  end
  self.drawn = core.now()
  write_line(self, stats)
end

-- Calls the script's function. One that fails is told of once and not called again.
local function call_function(self, stats)
  local ok, message = pcall(self.call, stats.done, stats.total, stats)
  if not ok then
    if core.is_interrupt(message) then
      error(message, 0)
    end
    self.call = nil
    io.stderr:write("error in a progress function: ", tostring(message), "\n")
  end
end

-- update(done, total, failed): so many of `total` tasks (nil: nobody knows) have finished,
-- some of them by an error.
function Progress:update(done, total, failed)
  self.stats_of = { done, total, failed }
  if self.is_function then
    self.due = measure(self, done, total, failed) -- for `tell`
  elseif not self.is_terminal then
    maybe_write(self, measure(self, done, total, failed))
  elseif core.now() >= self.drawn + REDRAW then
    draw(self, measure(self, done, total, failed))
  end
end

-- tell(): calls the script's function, if there is one, after an update; it may do what it likes.
function Progress:tell()
  local due = self.due
  self.due = nil
  if due and self.call then
    call_function(self, due)
  end
end

-- hide(began): a result is given to the script, which has waited for it since then and may print:
-- it finds an empty line. If results come faster than anybody reads, or are there before the script
-- asks for them, the bar stays: nothing would be seen of it else.
function Progress:hide(began)
  local now = core.now()
  if self.is_on_line and now >= began + QUIET then
    io.stderr:write("\r\27[K")
    self.is_on_line, self.interval, self.drawn = false, QUIET, now
  end
end

-- tick(): time has passed, and nothing has finished.
function Progress:tick()
  if self.is_terminal and self.stats_of and core.now() >= self.drawn + self.interval then
    draw(self, measure(self, table.unpack(self.stats_of, 1, 3)))
  end
end

-- finish(): the call has ended.
function Progress:finish()
  local seen = self.stats_of
  if seen and self.is_terminal then
    draw(self, measure(self, seen[1], seen[2], seen[3]))
    leave_line(self)
  elseif seen and not self.is_function and not seen[2] then
    write_line(self, measure(self, seen[1], seen[1], seen[3]))
  end
  self.stats_of = nil
end

-- A wait ends; by an error in the midst of things: the traceback is not to stand beside the bar,
-- which is not drawn again unless the call goes on.
function Progress:__close(failure)
  if failure ~= nil then
    leave_line(self)
    self.stats_of = nil
  end
end

-- new(how): for the option `progress`: true, a label, or function(done, total, stats).
local function new(how)
  local is_function = type(how) ~= "boolean" and type(how) ~= "string"
  local is_terminal = not is_function and core.terminal(STDERR) ~= nil
  local self = setmetatable({
    label = type(how) == "string" and how or nil, is_function = is_function,
    call = is_function and how or nil, is_terminal = is_terminal,
    interval = is_terminal and TICK or math.huge, began = core.now(), drawn = core.now(), tenth = 0,
  }, Progress)
  if is_terminal then
    self.drawn = self.drawn - REDRAW
  end
  return self
end

return { new = new }
