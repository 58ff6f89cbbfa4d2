"""A lock that two processes take in turn as fast as they can: one acquire and release of either.

Arguments: their CPUs. Both do the same number, and the time ends when both have.
"""

import os
import sys
from multiprocessing import get_context
from measure import measure

N = 5000


def pin(cpu):
    assert os.system(f"taskset -cp {cpu} {os.getpid()} >/dev/null") == 0


def work(lock):
    for _ in range(N):
        lock.acquire()
        lock.release()


def other(lock, go, done, cpu):
    pin(cpu)
    while go.get():
        work(lock)
        done.put(True)


def main():
    here, there = sys.argv[1:3]
    fork = get_context("fork")
    lock, go, done = fork.Lock(), fork.SimpleQueue(), fork.SimpleQueue()
    fork.Process(target=other, args=(lock, go, done, there), daemon=True).start()
    pin(here)

    def batch():
        go.put(True)
        work(lock)
        done.get()

    measure(2 * N, batch)


main()
