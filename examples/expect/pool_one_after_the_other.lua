local out = {}
for i = 0, 3 do
  out[#out + 1] = "Start process " .. i
  out[#out + 1] = "End process " .. i
end
out[#out + 1] = "Started processes\t3\t9"
out[#out + 1] = "Subprocess done."

return { out = out }
