"""A number in shared memory, increased by one so that no other process's change is lost."""

from multiprocessing import get_context
from measure import measure

N = 100000


def main():
    v = get_context("fork").Value("q", 0)

    def batch():
        for _ in range(N):
            with v.get_lock():
                v.value += 1

    measure(N, batch)


main()
