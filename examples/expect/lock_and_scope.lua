local sections = { any_order = true }
for _, name in ipairs{ "anna", "ben", "cleo" } do
  for _, way in ipairs{ "acquire", "hold", "with" } do
    local who = name .. " " .. way
    sections[#sections + 1] = { who .. " in", who .. " out" }
  end
end

return {
  out = {
    sections,
    "return\tvalue\tfalse",
    "break\tfalse",
    "error\tfalse\tmy error",
    "after the error\tfalse",
    "release of a free lock\tfalse",
  },
}
