"""One operation on a manager's dict of 1,000 entries. Argument: get, set or incr."""

import sys
from multiprocessing import get_context
from measure import measure

N = 2000


def main():
    fork = get_context("fork")
    with fork.Manager() as manager:
        keys = [f"key {i}" for i in range(1000)]
        d, lock = manager.dict({k: i for i, k in enumerate(keys)}), manager.Lock()

        def get(k, _):
            return d[k]

        def put(k, i):
            d[k] = i

        def incr(k, _):  # there is no incr: what keeps a count right is a lock
            with lock:
                d[k] += 1

        operation = {"get": get, "set": put, "incr": incr}[sys.argv[1]]

        def batch():
            for i in range(N):
                operation(keys[i % 1000], i)

        measure(N, batch)


main()
