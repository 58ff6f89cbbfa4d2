"""Strings of 1 MiB from one producer process to one consumer process, one put and one get each.

A Lua string is `bytes` here, which Python sends faster than `str`. Every batch begins and ends
with an empty queue. The argument is the queue's maxsize; without one the queue is unbounded and
may hold a whole batch.
"""

import sys
from multiprocessing import get_context
from measure import measure

N = 64
SIZE = 1 << 20


def produce(queue, go):
    text = b"x" * SIZE
    while go.get():
        for _ in range(N):
            queue.put(text)


def main():
    fork = get_context("fork")
    queue = fork.Queue(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    go = fork.Queue()
    producer = fork.Process(target=produce, args=(queue, go), daemon=True)
    producer.start()

    def batch():
        go.put(True)
        for _ in range(N):
            assert len(queue.get()) == SIZE

    measure(N, batch)
    go.put(False)
    producer.join()


main()
