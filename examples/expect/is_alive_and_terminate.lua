return {
  out = {
    "main PID\t<main>",
    "child PID\t<child>",
    "child PID\t<child>",
    "child PPID\t<main>",
    "alive\tfalse\t0",
    "alive\ttrue",
    "seen from outside\ttrue\texit\t0",
    "alive\tfalse\t-15",
  },
  seconds = { 0, 10 },
}
