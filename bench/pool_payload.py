"""map with arguments and results of 64 KiB, on two workers; the time is that of one task."""

from multiprocessing import get_context
from measure import measure

N = 200
SIZE = 64 * 1024


def echo(s):
    return s


def main():
    items = [bytes([64 + i % 26]) * SIZE for i in range(N)]
    with get_context("fork").Pool(2) as pool:

        def batch():
            results = pool.map(echo, items)
            assert len(results) == N and len(results[-1]) == SIZE

        measure(N, batch)


main()
