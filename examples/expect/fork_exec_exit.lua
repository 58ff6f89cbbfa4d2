return {
  out = {
    "child: fork gave me\t0",
    "ended:\tZ",
    "looked at:\texited\t0\tgone",
    "another program in the same process",
    "a program of its own",
    "joined:\t0\tgone",
  },
}
