-- Runs the benchmarks side by side: mpl, CPython's multiprocessing, and floors written in C.
--
--   ./mpl bench/run.lua [--quick | --rounds=N] [--strict] [-v] [name ...]
--
-- For each operation the programs run in turn, mpl CPython floor mpl CPython floor ..., N rounds of
-- it (5; --quick: 1), and the medians are compared: what disturbs the machine disturbs all of them
-- alike. A name selects an operation, or all whose names begin with it. -v shows every single
-- figure on stderr. The exit status is 0 whatever was measured, but with --strict 1 unless every
-- target was met.
--
-- Start it in the project's folder. It needs no mpl itself: lua5.4 bench/run.lua works too.
-- The environment may name other programs: MPL (./mpl), PYTHON (python3), CC (cc).

local MPL = os.getenv "MPL" or "./mpl"
local PYTHON = os.getenv "PYTHON" or "python3"
local CC = os.getenv "CC" or "cc"
local FLOOR <const> = "build/floor"

-- A program that has not finished after so many seconds hangs; in the foreground, for Ctrl-C.
local LIMIT <const> = "timeout --foreground -k 5 120 "

local USAGE <const> = "usage: bench/run.lua [--quick | --rounds=N] [--strict] [-v] [name ...]"

--- What a shell command prints, without the last line end; nil if it fails.
local function output(command)
  local pipe <close> = assert(io.popen(command))
  local text = pipe:read "a"
  return pipe:close() and text:gsub("%s+$", "") or nil
end

--- The first match of a pattern in a file of /proc, or nil.
local function scan(path, pattern)
  local file <close> = io.open(path)
  return file and file:read("a"):match(pattern)
end

local function allowed_cpus()
  local cpus = {}
  local ranges = scan("/proc/self/status", "Cpus_allowed_list:%s*(%S+)") or "0"
  for from, to in ranges:gmatch "(%d+)%-?(%d*)" do
    for cpu = tonumber(from), tonumber(to) or tonumber(from) do
      table.insert(cpus, cpu)
    end
  end
  return cpus
end

local function build_floor()
  return os.execute("mkdir -p build") and
    os.execute(CC .. " -std=gnu11 -D_GNU_SOURCE -O2 -pthread -o " .. FLOOR .. " bench/floor.c")
end

--- What is here to measure with and on. A side that is missing is nil, its column stays empty.
local function look_around()
  local memory = [[ -e 'require "process"
    print(io.open("/proc/self/status"):read("a"):match("RssAnon:%s*(%d+)"))' ]]
  local weight = tonumber(output(MPL .. memory .. "2>/dev/null"))
  return {
    cpus = allowed_cpus(),
    weight = weight or 0,
    mpl = weight and MPL .. " bench/%s.lua %s",
    python = output(PYTHON .. " -c 'import multiprocessing' 2>/dev/null") and
      PYTHON .. " -B bench/%s.py %s",
    floor = build_floor() and FLOOR,
  }
end

local function print_machine(machine)
  local cpu = scan("/proc/cpuinfo", "model name%s*:%s*([^\n]+)") or output "uname -m"
  local load = scan("/proc/loadavg", "%S+")
  local python = machine.python and output(PYTHON .. " --version") or "no " .. PYTHON
  print(("%d x %s, %s, %s, load %s"):format(#machine.cpus, cpu, output "uname -sr", python, load))
  if not machine.mpl then
    print("No " .. MPL .. " that has the module: nothing to compare.")
  end
  if not machine.python then
    print("No " .. PYTHON .. " with multiprocessing: no ratios to CPython.")
  end
  if not machine.floor then
    print("No C compiler (" .. CC .. "): no ratios to the floor.")
  end
end

--- The programs of one operation: `turns`, all of them in the order of their turns, and the same
-- by role: `mpl`, `python`, and the list `floors`. Each is { command =, figures = {} }.
local function sides_of(operation, machine)
  local sides = { turns = {}, floors = {} }
  local function side(command)
    table.insert(sides.turns, { command = command, figures = {} })
    return sides.turns[#sides.turns]
  end
  local args = operation.args or ""
  sides.mpl = machine.mpl and side(machine.mpl:format(operation.program, args))
  sides.python = machine.python and side(machine.python:format(operation.program, args))
  for i, floor in ipairs(machine.floor and operation.floors or {}) do
    local program, rest = floor[1]:match "^(%S+)(.*)$"
    sides.floors[i] = side(floor.lua and ("%s bench/%s.lua%s"):format(MPL, program, rest) or
      machine.floor .. " " .. floor[1])
  end
  return sides
end

--- Runs a program once and notes its figure. One that fails has said why on stderr, and is not
-- given another turn.
local function take_turn(side, verbose)
  if side.failed then
    return
  end
  local figure = tonumber(output(LIMIT .. side.command))
  if not figure then
    io.stderr:write("failed: ", side.command, "\n")
    side.failed = true
  elseif verbose then
    io.stderr:write(("%14.1f ns  %s\n"):format(figure, side.command))
  end
  table.insert(side.figures, figure)
end

local function median(side)
  if not side or side.failed then
    return nil
  end
  local sorted = table.move(side.figures, 1, #side.figures, 1, {})
  table.sort(sorted)
  local low, high = (#sorted + 1) // 2, #sorted // 2 + 1
  return (sorted[low] + sorted[high]) / 2
end

--- A quotient; nil where one of the two is missing.
local function ratio(a, b)
  return a and b and a / b
end

--- Writes one line of the table.
local function write_line(...)
  local line = ("%-32s %9s %9s %9s %10s %8s  %-18s %s"):format(...)
  print((line:gsub("%s+$", "")))
end

local function show_time(ns)
  if not ns then
    return ""
  end
  local unit = 1
  local units <const> = { "ns", "us", "ms" }
  while ns >= 1000 and unit < #units do
    ns, unit = ns / 1000, unit + 1
  end
  return ("%.3g %s"):format(ns, units[unit])
end

local function show(format, number)
  return number and format:format(number) or ""
end

--- The verdict on an operation: "met", "NOT met", "not measured", or "" where nothing is asked.
local function judge(operation, faster, times_floor)
  if not operation.faster and not operation.within then
    return ""
  end
  if operation.faster and not faster or operation.within and not times_floor then
    return "not measured"
  end
  local met = (not operation.faster or faster >= operation.faster) and
    (not operation.within or times_floor <= operation.within)
  return met and "met" or "NOT met"
end

local function show_target(operation)
  local parts = {}
  if operation.faster then
    table.insert(parts, (">= %gx"):format(operation.faster))
  end
  if operation.within then
    table.insert(parts, ("<= %gx fl."):format(operation.within))
  end
  return table.concat(parts, ", ")
end

--- Writes an operation's lines of the table; returns the verdict.
local function report(operation, sides)
  local mpl, python, floor = median(sides.mpl), median(sides.python), median(sides.floors[1])
  local faster, times_floor = ratio(python, mpl), ratio(mpl, floor)
  local verdict = judge(operation, faster, times_floor)
  write_line(operation.label, show_time(mpl), show_time(python), show_time(floor),
    show("%.2f", faster), show("%.2f", times_floor), show_target(operation), verdict)
  if operation.bytes then
    local gib = operation.bytes * 1e9 / (1 << 30)
    write_line("  GiB/s", show("%.2f", ratio(gib, mpl)), show("%.2f", ratio(gib, python)),
      show("%.2f", ratio(gib, floor)), "", "", "", "")
  end
  for i = 2, #(operation.floors or {}) do
    local other = median(sides.floors[i])
    write_line("  " .. operation.floors[i][2], "", "", show_time(other), "",
      show("%.2f", ratio(mpl, other)), "", "")
  end
  io.stdout:flush()
  return verdict
end

--- The options and the names on the command line; an error message for what is neither.
local function parse(list)
  local options = { rounds = 5, names = {} }
  for _, word in ipairs(list) do
    local rounds = tonumber(word:match "^%-%-rounds=(%d+)$")
    if rounds and rounds > 0 then
      options.rounds = rounds
    elseif word == "--quick" then
      options.rounds = 1
    elseif word == "--strict" then
      options.strict = true
    elseif word == "-v" then
      options.verbose = true
    elseif word:match "^%-" then
      return nil, USAGE
    else
      table.insert(options.names, word)
    end
  end
  return options
end

--- The operations whose names begin with one of `names`, all of them if there is none.
local function select_operations(operations, names)
  if #names == 0 then
    return operations
  end
  local chosen, known = {}, {}
  for _, operation in ipairs(operations) do
    table.insert(known, operation.name)
    for _, name in ipairs(names) do
      if operation.name:sub(1, #name) == name then
        table.insert(chosen, operation)
        break
      end
    end
  end
  if #chosen == 0 then
    return nil, "no such benchmark; there are: " .. table.concat(known, " ")
  end
  return chosen
end

local function main()
  local options, message = parse(arg)
  if not options then
    return nil, message
  end
  local machine = look_around()
  local operations
  operations, message = select_operations(dofile "bench/operations.lua"(machine), options.names)
  if not operations then
    return nil, message
  end
  print_machine(machine)
  print()
  write_line("operation", "mpl", "CPython", "floor", "x CPython", "x floor", "target", "")
  local asked, met = 0, 0
  for _, operation in ipairs(operations) do
    local sides = sides_of(operation, machine)
    for _ = 1, options.rounds do
      for _, side in ipairs(sides.turns) do
        take_turn(side, options.verbose)
      end
    end
    local verdict = report(operation, sides)
    asked = asked + (verdict ~= "" and 1 or 0)
    met = met + (verdict == "met" and 1 or 0)
  end
  print(("\n%d of %d targets met; medians of %d rounds"):format(met, asked, options.rounds))
  return met == asked or not options.strict
end

local ok, message = main()
if message then
  io.stderr:write(message, "\n")
  os.exit(2)
end
os.exit(ok)
