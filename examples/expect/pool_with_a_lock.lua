return { out = { "with a lock\t30", "without one at most thirty\ttrue" } }
