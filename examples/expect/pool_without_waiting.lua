local lines = { mixed = true }
for i = 0, 3 do
  lines[#lines + 1] = { "Start process " .. i, "End process " .. i }
end

return {
  out = { { mixed = true, "Started processes", lines }, "Subprocess done." },
  before = { { "Started processes", "End process 0" }, { "Start process 2", "End process 0" } },
  seconds = { 0.39, 5 },
}
