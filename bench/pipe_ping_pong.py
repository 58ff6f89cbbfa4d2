"""A number goes to another process through a pipe and comes back through it: one round trip.

Arguments: the CPU of this process and the CPU of the other, because placement decides latency.
"""

import os
import sys
from multiprocessing import get_context
from measure import measure

N = 1000


def pin(cpu):
    assert os.system(f"taskset -cp {cpu} {os.getpid()} >/dev/null") == 0


def echo(end, cpu):
    pin(cpu)
    while True:
        v = end.recv()
        end.send(v)
        if not v:
            break


def main():
    here, there = sys.argv[1:3]
    fork = get_context("fork")
    mine, theirs = fork.Pipe()
    player = fork.Process(target=echo, args=(theirs, there), daemon=True)
    player.start()
    pin(here)

    def batch():
        for i in range(1, N + 1):
            mine.send(i)
            assert mine.recv() == i

    measure(N, batch)
    mine.send(0)
    player.join()


main()
