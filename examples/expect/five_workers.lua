return {
  out = {
    "I am the parent process\t<main>",
    { mixed = true, "<a>\t<main>", "<b>\t<main>", "<c>\t<main>", "<d>\t<main>", "<e>\t<main>" },
  },
}
