"""Two processes give each other tokens of two semaphores: one round trip. Arguments: their CPUs."""

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
        ping.acquire()
        pong.release()


def main():
    here, there = sys.argv[1:3]
    fork = get_context("fork")
    ping, pong = fork.Semaphore(0), fork.Semaphore(0)
    fork.Process(target=echo, args=(ping, pong, there), daemon=True).start()
    pin(here)

    def batch():
        for _ in range(N):
            ping.release()
            pong.acquire()

    measure(N, batch)


main()
