"""A lock nobody else wants, acquired and released."""

from multiprocessing import get_context
from measure import measure

N = 100000


def main():
    lock = get_context("fork").Lock()

    def batch():
        for _ in range(N):
            lock.acquire()
            lock.release()

    measure(N, batch)


main()
