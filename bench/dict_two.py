"""A manager's dict of 1,000 entries that two processes use at once.

Each reads one entry and writes another in turn. Arguments: their CPUs. Both do the same number, and
the time ends when both have. The manager's process runs where it likes.
"""

import os
import sys
from multiprocessing import get_context
from measure import measure

N = 2000
KEYS = [f"key {i}" for i in range(1000)]


def pin(cpu):
    assert os.system(f"taskset -cp {cpu} {os.getpid()} >/dev/null") == 0


def work(d, step):
    at = 0
    for i in range(N // 2):
        at = (at + step) % 1000
        d[KEYS[at]]
        d[KEYS[999 - at]] = i


def other(d, go, done, cpu):
    pin(cpu)
    while go.get():
        work(d, 13)
        done.put(True)


def main():
    here, there = sys.argv[1:3]
    fork = get_context("fork")
    with fork.Manager() as manager:
        d = manager.dict({k: i for i, k in enumerate(KEYS)})
        go, done = fork.SimpleQueue(), fork.SimpleQueue()
        fork.Process(target=other, args=(d, go, done, there), daemon=True).start()
        pin(here)

        def batch():
            go.put(True)
            work(d, 7)
            done.get()

        measure(2 * N, batch)


main()
