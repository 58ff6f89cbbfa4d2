return {
  out = {
    "grandchild is here",
    "child ended with\t-15",
    "grandchild has lost its parent and lives on",
    "daemon's lock\ttrue\tabandoned",
  },
  seconds = { 0, 10 },
  outlives = 15, -- the grandchild is nobody's to wait for
}
