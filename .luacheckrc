-- Lua 5.4 only. Specs run under busted, which brings its own globals.
std = "lua54"
max_line_length = 100
files["spec"] = { std = "+busted" }

-- What a variable with <close> is for is its scope: `local held <close> = lock:hold()`.
ignore = { "211/held" }

-- Fixtures that are wrong on purpose.
exclude_files = { "spec/fixtures/host/broken.lua" }
files["spec/fixtures/host/failing.lua"] = { ignore = { "113/undefined_global", "211/closed" } }
files["spec/fixtures/host/init.lua"] = { ignore = { "111/from_init" } }
