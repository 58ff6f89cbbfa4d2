"""apply_async: many tasks handed in, then all results taken, on two workers; the time is that of one
task."""

from multiprocessing import get_context
from measure import measure

N = 2000


def square(x):
    return x * x


def main():
    with get_context("fork").Pool(2) as pool:

        def batch():
            results = [pool.apply_async(square, (i,)) for i in range(N)]
            for i in range(N):
                assert results[i].get() == i * i

        measure(N, batch)


main()
