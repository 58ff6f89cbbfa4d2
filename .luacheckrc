-- Lua 5.4 only. Specs run under busted, which brings its own globals.
std = "lua54"
max_line_length = 100
files["spec"] = { std = "+busted" }
