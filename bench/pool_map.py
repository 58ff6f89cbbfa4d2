"""map over small integers on two workers, in chunks of the given size or automatic ones; the time is
that of one task."""

import sys
from multiprocessing import get_context
from measure import measure

CHUNKSIZE = int(sys.argv[1]) if len(sys.argv) > 1 else None
N = 2000 if CHUNKSIZE else 100000


def square(x):
    return x * x


def main():
    items = list(range(1, N + 1))
    with get_context("fork").Pool(2) as pool:

        def batch():
            results = pool.map(square, items, CHUNKSIZE)
            assert len(results) == N and results[-1] == N * N

        measure(N, batch)


main()
