"""Two processes notify each other by a condition and wait: one round trip. Arguments: their CPUs."""

import os
import sys
from multiprocessing import get_context
from measure import measure

N = 1000


def pin(cpu):
    assert os.system(f"taskset -cp {cpu} {os.getpid()} >/dev/null") == 0


def echo(c, ready, cpu):
    pin(cpu)
    c.acquire()
    ready.set()
    while True:
        c.wait()
        c.notify()


def main():
    here, there = sys.argv[1:3]
    fork = get_context("fork")
    c, ready = fork.Condition(), fork.Event()
    fork.Process(target=echo, args=(c, ready, there), daemon=True).start()
    pin(here)
    ready.wait()
    c.acquire()  # the other one waits

    def batch():
        for _ in range(N):
            c.notify()
            c.wait()

    measure(N, batch)
    c.release()


main()
