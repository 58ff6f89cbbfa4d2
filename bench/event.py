"""Two processes wake each other by events: one round trip. Arguments: their CPUs."""

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
        ping.wait()
        ping.clear()
        pong.set()


def main():
    here, there = sys.argv[1:3]
    fork = get_context("fork")
    ping, pong = fork.Event(), fork.Event()
    fork.Process(target=echo, args=(ping, pong, there), daemon=True).start()
    pin(here)

    def batch():
        for _ in range(N):
            ping.set()
            pong.wait()
            pong.clear()

    measure(N, batch)


main()
