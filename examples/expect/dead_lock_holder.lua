local function after(how)
  return {
    how .. "\ttrue\ttrue\tabandoned",
    "abandoned\ttrue",
    "released\tfalse\tfalse",
    "acquire\ttrue",
  }
end

return {
  out = { after("kill"), after("terminate") },
  seconds = { 0, 10 },
}
