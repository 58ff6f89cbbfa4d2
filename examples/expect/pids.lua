return {
  out = {
    mixed = true,
    { "hello xiaobai", "I am the child\t<child>\tand my parent is\t<main>" },
    "I am the parent\t<main>\tand my child is\t<child>",
  },
}
