return {
  out = {
    "<soon>\tstarted\ttrue",
    "<soon>\tnot blocking\tnil\tempty",
    "<late>\tblocking\tthe answer",
  },
  where = { soon = { 0, 0.45 }, late = { 0.5, 5 } },
}
