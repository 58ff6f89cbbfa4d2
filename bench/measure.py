"""How every benchmark in Python is timed; measure.lua is the same for Lua."""

import time

SECONDS = 0.3  # as in measure.lua


def measure(n, batch):
    """Prints the nanoseconds one operation takes.

    `batch` does `n` operations. Its first call is the warm-up and is not timed; then it is called
    until SECONDS have passed on the monotonic clock.
    """
    batch()
    batches, start, elapsed = 0, time.monotonic(), 0
    while elapsed < SECONDS:
        batch()
        batches += 1
        elapsed = time.monotonic() - start
    print(f"{elapsed * 1e9 / (batches * n):.3f}")
