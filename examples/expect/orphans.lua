return {
  out = {
    "main: killed by my own hand",
    "orphan: my parent is dead",
    "orphan: main's lock\ttrue\tabandoned",
    "orphan: daemon's lock\ttrue\tabandoned",
    "orphan: from the queue\tleft by main",
    "orphan: from the queue\tstill works",
  },
  status = -9,
  outlives = 15,
}
