"""A process with an empty target, started and joined."""

from multiprocessing import get_context
from measure import measure

N = 50


def nothing():
    pass


def main():
    fork = get_context("fork")

    def batch():
        for _ in range(N):
            p = fork.Process(target=nothing)
            p.start()
            p.join()
            assert p.exitcode == 0

    measure(N, batch)


main()
