return {
  out = { "module greeting is loaded", "loaded\ttrue\ttrue", "Salve, child", "Salve, main" },
}
