"""apply, one task after the other, on two workers."""

from multiprocessing import get_context
from measure import measure

N = 500


def square(x):
    return x * x


def main():
    with get_context("fork").Pool(2) as pool:

        def batch():
            for i in range(N):
                assert pool.apply(square, (i,)) == i * i

        measure(N, batch)


main()
