"""The sum of a shared array of doubles, through a slice of all of them."""

from multiprocessing import get_context
from measure import measure

N = 1000000


def main():
    a = get_context("fork").Array("d", [0.5] * N)

    def batch():
        assert sum(a[:]) == N / 2

    measure(N, batch)


main()
