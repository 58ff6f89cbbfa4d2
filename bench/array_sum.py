"""The sum of a shared array of doubles, one element after the other."""

from multiprocessing import get_context
from measure import measure

N = 1000000


def main():
    a = get_context("fork").Array("d", [0.5] * N)

    def batch():
        total = 0.0
        for x in a:
            total += x
        assert total == N / 2

    measure(N, batch)


main()
