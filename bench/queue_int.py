"""Small integers from one producer process to one consumer process, one put and one get each.

Every batch begins and ends with an empty queue, so that puts and gets are both inside the time.
"""

from multiprocessing import get_context
from measure import measure

N = 100000


def produce(queue, go):
    while go.get():
        for i in range(1, N + 1):
            queue.put(i)


def main():
    fork = get_context("fork")
    queue, go = fork.Queue(), fork.Queue()
    producer = fork.Process(target=produce, args=(queue, go), daemon=True)
    producer.start()

    def batch():
        go.put(True)
        for _ in range(N):
            last = queue.get()
        assert last == N

    measure(N, batch)
    go.put(False)
    producer.join()


main()
