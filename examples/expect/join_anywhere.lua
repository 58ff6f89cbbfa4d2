local rounds = {}
for i = 1, 10 do rounds[i] = { "child runs\t" .. i, "child done\t" .. i } end

return {
  out = { { mixed = true, rounds, { "parent runs", "parent waits" } }, "parent ends" },
  before = { { "parent runs", "child done\t5" }, { "parent waits", "child done\t10" } },
}
