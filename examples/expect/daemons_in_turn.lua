return {
  out = {
    { "Pid: <a> LoopCount: 0", "Pid: <a> LoopCount: 1" },
    { "Pid: <b> LoopCount: 0", "Pid: <b> LoopCount: 1", "Pid: <b> LoopCount: 2" },
    {
      "Pid: <c> LoopCount: 0",
      "Pid: <c> LoopCount: 1",
      "Pid: <c> LoopCount: 2",
      "Pid: <c> LoopCount: 3",
    },
    "Main process Ended!",
  },
  seconds = { 0.9, 5 },
}
