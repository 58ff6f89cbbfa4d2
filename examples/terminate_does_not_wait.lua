-- terminate sends a signal and returns; join waits for the end.

local process = require "process"

local p = process.Process{ target = process.sleep, args = { 60 } }
p.daemon = true -- before the start
p:start()
print("pid", p.pid > 0)

local begin = process.now()
p:terminate()
print(("terminate took %.2f seconds"):format(process.now() - begin))
p:join()
print("exit code", p.exitcode)
