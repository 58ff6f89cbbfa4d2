return {
  out = {
    { any_order = true, { "anna begins", "anna ends" }, { "ben begins", "ben ends" } },
    "child\tfalse\ttimeout",
    "child\tfalse",
    "free\tfalse",
  },
}
