"""A pool of two workers made, closed and joined."""

from multiprocessing import get_context
from measure import measure

N = 5  # enough: each takes tens of milliseconds


def main():
    fork = get_context("fork")

    def batch():
        for _ in range(N):
            pool = fork.Pool(2)
            pool.close()
            pool.join()

    measure(N, batch)


main()
