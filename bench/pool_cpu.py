"""map over tasks of about a millisecond that compute, on so many workers; the time is that of one
task. With as many workers as processors it should fall as their number rises."""

import sys
from multiprocessing import get_context
from measure import measure

WORKERS = int(sys.argv[1]) if len(sys.argv) > 1 else 2
N = 100
STEPS = 20000  # about a millisecond


def compute(x):
    for i in range(1, STEPS):
        x ^= i * 7
    return x


def main():
    items = list(range(1, N + 1))
    with get_context("fork").Pool(WORKERS) as pool:

        def batch():
            assert len(pool.map(compute, items)) == N

        measure(N, batch)


main()
