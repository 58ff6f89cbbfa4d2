/*
** The robust lock: see robust.h.
**
** An identity (`self`) belongs to a process; tests that put threads in place of processes give each
** thread its own, which is why the two words below are per thread.
*/
#include "sync/robust.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "base/check.h"
#include "base/os.h"
#include "base/point.h"

/* Sections take well under a microsecond, a sleep and its wake-up tens of them. */
#define SPINS 200

/* How long a sleeping locker stays deaf to its deadline and to signals. */
#define SLICE_NS (20 * 1000 * 1000LL)

static mpl_robust_recover recover_hook;
static _Thread_local uint64_t self_identity;

/* Installs the recovery function; once, before the first lock is taken. */
void mpl_robust_install(mpl_robust_recover recover) {
  recover_hook = recover;
}

/* Says who the caller is, as recovery will be told; never 0. */
void mpl_robust_set_self(uint64_t self) {
  self_identity = self;
}

/*
** Lock order. In the test build each thread remembers the ranks that it holds, and taking a lock
** whose rank is not above all of them fails an assertion.
*/
#if defined(MPL_TEST)
static _Thread_local uint32_t held_ranks[16];
static _Thread_local int held_count;

static void rank_push(const struct mpl_robust *lock) {
  MPL_ASSERT(held_count == 0 || lock->rank > held_ranks[held_count - 1]);
  MPL_ASSERT(held_count < 16);
  held_ranks[held_count++] = lock->rank;
}

static void rank_pop(const struct mpl_robust *lock) {
  MPL_ASSERT(held_count > 0 && held_ranks[held_count - 1] == lock->rank);
  held_count--;
}
#else
#define rank_push(lock) ((void)(lock))
#define rank_pop(lock) ((void)(lock))
#endif

/* Makes a lock in shared memory that nobody else can see yet. MPL_ERRNO on failure. */
enum mpl_status mpl_robust_init(struct mpl_robust *lock, uint32_t rank) {
  pthread_mutexattr_t attr;
  int e = pthread_mutexattr_init(&attr);
  if (e != 0) return errno = e, MPL_ERRNO;
  pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  e = pthread_mutex_init(&lock->mutex, &attr);
  pthread_mutexattr_destroy(&attr);
  if (e != 0) return errno = e, MPL_ERRNO;
  mpl_store64_rlx(&lock->holder, 0);
  mpl_store32_rlx(&lock->damaged, 0);
  lock->rank = rank;
  return MPL_OK;
}

/* The caller has the mutex of a dead holder: rolls its section back, and only then lets the lock be
   an ordinary one again. Dying in here is harmless: the next locker starts over. */
static enum mpl_status take_over(struct mpl_robust *lock) {
  MPL_POINT();
  bool whole = recover_hook(lock, mpl_load64_rlx(&lock->holder));
  MPL_POINT();
  if (!whole) mpl_store32_rlx(&lock->damaged, 1);
  mpl_store64_rlx(&lock->holder, self_identity);
  mpl_fence_death();
  MPL_POINT();
  pthread_mutex_consistent(&lock->mutex);
  MPL_POINT();
  return MPL_RECOVERED;
}

/* What follows the attempt to get the mutex, whose result is e. */
static enum mpl_status entered(struct mpl_robust *lock, int e) {
  enum mpl_status s = MPL_OK;
  MPL_POINT();
  if (e == EOWNERDEAD)
    s = take_over(lock);
  else
    mpl_store64_rlx(&lock->holder, self_identity);
  rank_push(lock);
  if (mpl_load32_rlx(&lock->damaged)) {
    mpl_robust_unlock(lock);
    return MPL_DAMAGED;
  }
  MPL_POINT();
  return s;
}

/* MPL_OK, MPL_RECOVERED, MPL_DAMAGED, or MPL_BLOCK if somebody holds it. */
enum mpl_status mpl_robust_trylock(struct mpl_robust *lock) {
  MPL_POINT();
  int e = pthread_mutex_trylock(&lock->mutex);
  if (e == EBUSY) return MPL_BLOCK;
  MPL_ASSERT(e == 0 || e == EOWNERDEAD);
  return entered(lock, e);
}

#if defined(__SANITIZE_THREAD__)
/* ThreadSanitizer does not see what pthread_mutex_clocklock does. */
static int lock_before(pthread_mutex_t *mutex, int64_t end) {
  int e;
  while ((e = pthread_mutex_trylock(mutex)) == EBUSY && mpl_os_now() < end) sched_yield();
  return e;
}
#else
/* Sleeps until it has the mutex or the time has come: 0, EOWNERDEAD or ETIMEDOUT. */
static int lock_before(pthread_mutex_t *mutex, int64_t end) {
  struct timespec t = {.tv_sec = (time_t)(end / MPL_NS_PER_S),
                       .tv_nsec = (long)(end % MPL_NS_PER_S)};
  return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &t);
}
#endif

/*
** Takes the lock: MPL_OK, MPL_RECOVERED, MPL_DAMAGED (not held then), MPL_TIMEOUT at the deadline,
** or MPL_SIGNAL when `interrupted` (may be NULL) says so. A holder that was stopped (SIGSTOP) can
** make this last; it is asked every 20 ms whether to go on.
*/
enum mpl_status mpl_robust_lock_until(struct mpl_robust *lock, int64_t deadline,
                                      bool (*interrupted)(void)) {
  MPL_POINT();
  int e = pthread_mutex_trylock(&lock->mutex);
  for (int i = 0; e == EBUSY && i < SPINS; i++) {
    mpl_cpu_relax();
    e = pthread_mutex_trylock(&lock->mutex);
  }
  while (e == EBUSY || e == ETIMEDOUT) {
    if (interrupted != NULL && interrupted()) return MPL_SIGNAL;
    int64_t now = mpl_os_now();
    if (now >= deadline) return MPL_TIMEOUT;
    MPL_POINT();
    e = lock_before(&lock->mutex, deadline - now > SLICE_NS ? now + SLICE_NS : deadline);
  }
  MPL_ASSERT(e == 0 || e == EOWNERDEAD);
  return entered(lock, e);
}

/* The same without an end: for sections that cannot fail. MPL_OK, MPL_RECOVERED or MPL_DAMAGED. */
enum mpl_status mpl_robust_lock(struct mpl_robust *lock) {
  return mpl_robust_lock_until(lock, MPL_NEVER, NULL);
}

/* Holder only; the section must be committed. */
void mpl_robust_unlock(struct mpl_robust *lock) {
  MPL_POINT();
  rank_pop(lock);
  mpl_store64_rlx(&lock->holder, 0);
  mpl_fence_death();
  MPL_POINT();
  int e = pthread_mutex_unlock(&lock->mutex);
  MPL_ASSERT(e == 0);
  MPL_POINT();
}
