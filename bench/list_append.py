"""An integer appended to a shared list."""

from multiprocessing import get_context
from measure import measure

N = 1000


def main():
    with get_context("fork").Manager() as manager:
        shared = manager.list()

        def batch():
            shared[:] = []
            for i in range(N):
                shared.append(i)

        measure(N, batch)


main()
