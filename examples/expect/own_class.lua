return {
  out = {
    mixed = true,
    { "Pid: <a> LoopCount: 0", "Pid: <a> LoopCount: 1" },
    { "Pid: <b> LoopCount: 0", "Pid: <b> LoopCount: 1", "Pid: <b> LoopCount: 2" },
    {
      "Pid: <c> LoopCount: 0",
      "Pid: <c> LoopCount: 1",
      "Pid: <c> LoopCount: 2",
      "Pid: <c> LoopCount: 3",
    },
  },
  seconds = { 0.4, 0.88 }, -- one after the other: 0.9
}
