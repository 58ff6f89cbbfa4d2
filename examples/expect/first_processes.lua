local out = { mixed = true }
for i = 0, 4 do out[i + 1] = "Process:\t" .. i end

return { out = out }
