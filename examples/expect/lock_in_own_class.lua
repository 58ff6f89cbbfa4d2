local processes = { mixed = true }
for loop = 10, 14 do
  local lines = {}
  for count = 0, loop - 1 do
    lines[count + 1] = ("Pid: <p%d> LoopCount: %d"):format(loop, count)
  end
  processes[#processes + 1] = lines
end

return {
  out = { processes, "locked\tfalse" },
}
