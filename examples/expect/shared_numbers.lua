return {
  out = {
    "1000\tof\t1000",
    "first\t1.0 4.0 9.0 16.0 25.0",
    "last\t998001.0 1000000.0",
    "sum\t333833500.0",
    "false\tbad argument #<n> to '<name>' (255 + 1 is out of range: "
      .. "type 'B' takes an integer from 0 to 255)",
    "Array('B', {0, 128, 255})",
  },
  where = { name = "[%w.]+" },
}
