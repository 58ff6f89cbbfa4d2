-- How a process ended is told by its exit code: what it returned to the system, or the negative
-- number of the signal that ended it.

local process = require "process"

local function endless() process.sleep(10) end

local asked = process.Process(endless):start()
asked:terminate() -- SIGTERM
asked:join()
print("terminate", asked.exitcode)

local forced = process.Process(endless):start()
forced:kill() -- SIGKILL
forced:join()
print("kill", forced.exitcode)

local function exit_code_of(target)
  local p = process.Process(target):start()
  p:join()
  return p.exitcode
end

print("return", exit_code_of(function() return "ignored" end))
print("os.exit(3)", exit_code_of(function() os.exit(3) end))
print("os.exit(false)", exit_code_of(function() os.exit(false) end))

-- An error is reported on stderr, with the name of the process and a traceback.
print("error", exit_code_of(function() error("on purpose") end))
