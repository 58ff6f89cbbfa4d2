-- The Mandelbrot set on all processors, as a picture in the PGM format, with a progress bar.
--
--   mpl examples/mandelbrot.lua [width [height [file]]]

local process = require "process"

local width = tonumber(arg[1]) or 240
local height = tonumber(arg[2]) or width * 2 // 3
local path = arg[3] or os.tmpname()
local DEPTH <const> = 255

-- How soon the point c = x + iy runs away: 0 for one that does not.
local function escape(x, y)
  local re, im = 0, 0
  for n = 1, DEPTH do
    re, im = re * re - im * im + x, 2 * re * im + y
    if re * re + im * im > 4 then return DEPTH + 1 - n end
  end
  return 0
end

-- One row of the picture, a byte for each pixel.
local function row(r)
  local bytes = {}
  local y = (r - 0.5) / height * 2 - 1
  for column = 1, width do
    bytes[column] = string.char(escape((column - 0.5) / width * 3 - 2, y))
  end
  return table.concat(bytes)
end

local rows = {}
for r = 1, height do rows[r] = r end

local pool <close> = process.Pool()
local picture = pool:map(row, rows, { progress = "mandelbrot" })

local file <close> = assert(io.open(path, "wb"))
file:write(("P5\n%d %d\n%d\n"):format(width, height, DEPTH), table.concat(picture))
file:close()
print(("%d x %d pixels"):format(width, height), #table.concat(picture))
if arg[3] then
  print("written to " .. path)
else
  os.remove(path)
end
