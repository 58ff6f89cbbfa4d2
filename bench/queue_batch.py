"""Small integers from one producer process to one consumer process, in batches of 100; the time is
that of one integer.

Python's queues have no batches: what its users do instead is to put a list as one item. That is
less work than 100 items of which each could have gone to another consumer.
"""

from multiprocessing import get_context
from measure import measure

BATCH = 100
N = 1000 * BATCH


def produce(queue, go):
    items = list(range(1, BATCH + 1))
    while go.get():
        for _ in range(N // BATCH):
            queue.put(items)


def main():
    fork = get_context("fork")
    queue, go = fork.Queue(), fork.Queue()
    producer = fork.Process(target=produce, args=(queue, go), daemon=True)
    producer.start()

    def batch():
        go.put(True)
        taken = 0
        while taken < N:
            taken += len(queue.get())
        assert taken == N

    measure(N, batch)
    go.put(False)
    producer.join()


main()
