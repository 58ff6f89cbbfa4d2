return {
  out = {
    "clerk: waits for Lock 'ledger'",
    "main: has the journal\tfalse",
    "<place>: deadlock: each of these processes waits for the next one, and the last for the first",
    "  MainProcess (pid <pid>) took Lock 'ledger', and waits for Lock 'journal'",
    "  clerk (pid <pid>) took Lock 'journal', and waits for Lock 'ledger'",
    "clerk: has both",
    "main: has the journal\ttrue",
  },
  where = { place = "[%w_./]+:%d+", pid = "%d+" },
  seconds = { 0, 8 },
}
