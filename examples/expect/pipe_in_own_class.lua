return { out = { "9", "together", "eof", "-9" } }
