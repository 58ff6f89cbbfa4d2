-- The first children may have ended before the list is made, the later half has not.
local main = { "CPU number: <count>", { mixed = true }, "Process Ended" }
local children = { mixed = true }
for i = 0, 99 do
  local listed = ("Child process name: Process-%d id: <pid%d>"):format(i + 1, i)
  main[2][i + 1] = { times = { i < 50 and 0 or 1, 1 }, listed }
  children[i + 1] = "Process:\t" .. i
end

return {
  out = { mixed = true, main, children },
  where = { count = "[1-9]%d*" },
  before = { { "Process Ended", "Process:\t90" } },
  seconds = { 0.99, 5 },
}
