-- pool_cpu.lua on one worker, as the floor of two.

assert(loadfile "bench/pool_cpu.lua")(1)
