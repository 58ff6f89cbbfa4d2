"""A number goes to another process over one queue and comes back over a second: one round trip.

Arguments: the CPU of this process and the CPU of the other, because placement decides latency.
Each side pins itself before its first put, so that the queue's feeder thread inherits the CPU.
"""

import os
import sys
from multiprocessing import get_context
from measure import measure

N = 1000


def pin(cpu):
    assert os.system(f"taskset -cp {cpu} {os.getpid()} >/dev/null") == 0


def echo(ping, pong, cpu):
    pin(cpu)
    while True:
        v = ping.get()
        pong.put(v)
        if not v:
            break


def main():
    here, there = sys.argv[1:3]
    fork = get_context("fork")
    ping, pong = fork.Queue(), fork.Queue()
    player = fork.Process(target=echo, args=(ping, pong, there), daemon=True)
    player.start()
    pin(here)

    def batch():
        for i in range(1, N + 1):
            ping.put(i)
            assert pong.get() == i

    measure(N, batch)
    ping.put(0)
    player.join()


main()
