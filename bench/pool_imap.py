"""imap_unordered over small integers on two workers, in chunks of one; the time is that of one task.
"""

from multiprocessing import get_context
from measure import measure

N = 2000


def square(x):
    return x * x


def main():
    items = list(range(1, N + 1))
    with get_context("fork").Pool(2) as pool:

        def batch():
            n = 0
            for v in pool.imap_unordered(square, items):
                n += 1
            assert n == N

        measure(N, batch)


main()
