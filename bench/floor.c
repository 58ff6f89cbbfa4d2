/* Floors: what the kernel and the caches ask for an operation, with nothing of mpl around it.
 *
 *   floor fork [KIB]     fork, _exit in the child, waitpid, by a process with KIB of memory in use
 *   floor lock           one compare-and-set and one exchange on a shared word
 *   floor ring A B       words through a single-producer ring without a lock, spinning when it is
 *                        full or empty, from a process on CPU B to this one on CPU A
 *   floor locked A B     the same, each side under a robust mutex of its own
 *   floor copy A B       blocks of 1 MiB copied into shared memory and out again, as ring
 *   floor spin A B       a round trip between processes on CPUs A and B, spinning
 *   floor futex A B      the same, sleeping on futexes
 *
 * Each prints the nanoseconds of one operation, timed as measure.lua does it. The second process,
 * where there is one, works until the first has its figure and kills it. A benchmark is not a
 * program that goes on: any failure ends it with a message and status 1.
 */

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 0.3
#define MIB ((size_t)1 << 20)
#define CACHE_LINE 64

_Noreturn static void fail(const char *what)
{
  perror(what);
  exit(1);
}

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Prints the nanoseconds of one operation. `batch` does n; its first call is the warm-up. */
static void measure(int n, void (*batch)(void *state, int n), void *state)
{
  batch(state, n);
  double start = now(), elapsed;
  double operations = 0;
  do {
    batch(state, n);
    operations += n;
    elapsed = now() - start;
  } while (elapsed < SECONDS);
  printf("%.3f\n", elapsed * 1e9 / operations);
}

static void *map_memory(size_t size, int flags)
{
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    fail("mmap");
  return p;
}

static void pin(int cpu)
{
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    fail("sched_setaffinity");
}

/* The other process of a benchmark of two: runs `side` for ever on the CPU `peer_cpu`, and cannot
 * outlive us. This one goes on on `cpu`. */
static pid_t start_peer(int cpu, int peer_cpu, void (*side)(void *state), void *state)
{
  pin(peer_cpu); /* inherited */
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0)
    fail("fork");
  if (pid > 0) {
    pin(cpu);
    return pid;
  }
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
    _exit(1);
  for (;;)
    side(state);
}

static void stop_peer(pid_t pid)
{
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* ---- fork ---------------------------------------------------------------------------------- */

static void fork_batch(void *state, int n)
{
  (void)state;
  for (int i = 0; i < n; i++) {
    pid_t pid = fork();
    if (pid < 0)
      fail("fork");
    if (pid == 0)
      _exit(0);
    if (waitpid(pid, NULL, 0) != pid)
      fail("waitpid");
  }
}

static void floor_fork(size_t kib)
{
  if (kib > 0)
    map_memory(kib * 1024, MAP_PRIVATE | MAP_POPULATE);
  measure(50, fork_batch, NULL);
}

/* ---- lock ---------------------------------------------------------------------------------- */

static void lock_batch(void *state, int n)
{
  _Atomic uint64_t *word = state;
  for (int i = 0; i < n; i++) {
    uint64_t unlocked = 0;
    if (!atomic_compare_exchange_strong_explicit(word, &unlocked, 1, memory_order_acquire,
                                                 memory_order_relaxed))
      fail("lock");
    atomic_exchange_explicit(word, 0, memory_order_release);
  }
}

/* ---- ring, locked, copy -------------------------------------------------------------------- */

/* A ring between one producer and one consumer. A slot in [head, tail) is the consumer's, every
 * other the producer's; each side writes its own index only. The indices lie on cache lines of
 * their own, and each side keeps a copy of the other's, so that it looks at it only when the copy
 * says full or empty. Item size and number of slots are constants wherever it is used. */
struct ring {
  _Alignas(CACHE_LINE) _Atomic size_t tail;
  size_t head_seen; /* producer only */
  _Alignas(CACHE_LINE) _Atomic size_t head;
  size_t tail_seen; /* consumer only */
  _Alignas(CACHE_LINE) pthread_mutex_t put_lock;
  _Alignas(CACHE_LINE) pthread_mutex_t get_lock;
  _Alignas(CACHE_LINE) unsigned char slots[];
};

enum { WORD_SLOTS = 4096, BLOCK_SLOTS = 4 };

static inline void ring_put(struct ring *r, const void *item, size_t size, size_t slots)
{
  size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
  while (tail - r->head_seen == slots) {
    r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
    relax();
  }
  memcpy(r->slots + tail % slots * size, item, size);
  atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

static inline void ring_get(struct ring *r, void *item, size_t size, size_t slots)
{
  size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
  while (head == r->tail_seen) {
    r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
    relax();
  }
  memcpy(item, r->slots + head % slots * size, size);
  atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

static void ring_produce(void *state)
{
  for (uint64_t i = 0;; i++)
    ring_put(state, &i, sizeof i, WORD_SLOTS);
}

static void ring_batch(void *state, int n)
{
  uint64_t item;
  for (int i = 0; i < n; i++)
    ring_get(state, &item, sizeof item, WORD_SLOTS);
}

static void locked_produce(void *state)
{
  struct ring *r = state;
  for (uint64_t i = 0;; i++) {
    pthread_mutex_lock(&r->put_lock);
    ring_put(r, &i, sizeof i, WORD_SLOTS);
    pthread_mutex_unlock(&r->put_lock);
  }
}

static void locked_batch(void *state, int n)
{
  struct ring *r = state;
  uint64_t item;
  for (int i = 0; i < n; i++) {
    pthread_mutex_lock(&r->get_lock);
    ring_get(r, &item, sizeof item, WORD_SLOTS);
    pthread_mutex_unlock(&r->get_lock);
  }
}

static void copy_produce(void *state)
{
  static unsigned char block[MIB];
  memset(block, 'x', MIB); /* pages of its own, not the page of zeros */
  for (;;)
    ring_put(state, block, MIB, BLOCK_SLOTS);
}

static void copy_batch(void *state, int n)
{
  static unsigned char block[MIB];
  for (int i = 0; i < n; i++)
    ring_get(state, block, MIB, BLOCK_SLOTS);
}

struct flow {
  void (*produce)(void *ring);
  void (*batch)(void *ring, int n);
  int n; /* items of a batch */
};

static void floor_flow(struct flow flow, int cpu, int peer_cpu)
{
  size_t slots = BLOCK_SLOTS * MIB; /* enough for the words too */
  struct ring *r = map_memory(sizeof *r + slots, MAP_SHARED);
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  if (pthread_mutex_init(&r->put_lock, &attr) != 0 || pthread_mutex_init(&r->get_lock, &attr) != 0)
    fail("pthread_mutex_init");
  pid_t peer = start_peer(cpu, peer_cpu, flow.produce, r);
  measure(flow.n, flow.batch, r);
  stop_peer(peer);
}

/* ---- futex, spin --------------------------------------------------------------------------- */

/* Each side counts its turns in a word of its own and waits for the other's to follow. */
struct table {
  _Alignas(CACHE_LINE) _Atomic uint32_t ping;
  _Alignas(CACHE_LINE) _Atomic uint32_t pong;
  bool sleep;
};

static void hit(struct table *t, _Atomic uint32_t *word, uint32_t turn)
{
  atomic_store_explicit(word, turn, memory_order_release);
  if (t->sleep)
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void await(struct table *t, _Atomic uint32_t *word, uint32_t turn)
{
  uint32_t seen;
  while ((seen = atomic_load_explicit(word, memory_order_acquire)) != turn) {
    if (t->sleep)
      syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
    else
      relax();
  }
}

static void echo(void *state)
{
  struct table *t = state;
  for (uint32_t turn = 1;; turn++) {
    await(t, &t->ping, turn);
    hit(t, &t->pong, turn);
  }
}

static void play(void *state, int n)
{
  struct table *t = state;
  uint32_t turn = atomic_load_explicit(&t->ping, memory_order_relaxed);
  for (int i = 0; i < n; i++) {
    hit(t, &t->ping, ++turn);
    await(t, &t->pong, turn);
  }
}

static void floor_ping_pong(bool sleep, int cpu, int peer_cpu)
{
  struct table *t = map_memory(sizeof *t, MAP_SHARED);
  t->sleep = sleep;
  pid_t peer = start_peer(cpu, peer_cpu, echo, t);
  measure(1000, play, t);
  stop_peer(peer);
}

static bool run(const char *name, int a, int b)
{
  static const struct flow ring = {ring_produce, ring_batch, 1000000};
  static const struct flow locked = {locked_produce, locked_batch, 100000};
  static const struct flow copy = {copy_produce, copy_batch, 64};
  if (!strcmp(name, "fork"))
    floor_fork((size_t)a);
  else if (!strcmp(name, "lock"))
    measure(100000, lock_batch, map_memory(sizeof(uint64_t), MAP_SHARED));
  else if (!strcmp(name, "ring"))
    floor_flow(ring, a, b);
  else if (!strcmp(name, "locked"))
    floor_flow(locked, a, b);
  else if (!strcmp(name, "copy"))
    floor_flow(copy, a, b);
  else if (!strcmp(name, "spin"))
    floor_ping_pong(false, a, b);
  else if (!strcmp(name, "futex"))
    floor_ping_pong(true, a, b);
  else
    return false;
  return true;
}

int main(int argc, char **argv)
{
  if (argc > 1 && run(argv[1], argc > 2 ? atoi(argv[2]) : 0, argc > 3 ? atoi(argv[3]) : 0))
    return 0;
  fputs("usage: floor fork [KIB] | lock | {ring|locked|copy|spin|futex} A B\n", stderr);
  return 2;
}
