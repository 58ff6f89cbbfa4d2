/*
** Locks: those that scripts use, and the robust ones below them. Everything runs a second time
** without futex_waitv.
*/
#include <sys/mman.h>

#include "world.h"

static uint64_t lock_id, event_id;
static struct mpl_lock *lock;

/* Memory outside the arena, for the processes of a case. */
static struct {
  volatile uint64_t a, b; /* equal while nobody is inside */
  mpl_a64 taken, inside;
  mpl_a64 got_at; /* ns */
} *shared;

static void make_lock(void) {
  world_make();
  CHECK(mpl_lock_new(&lock_id) == MPL_OK && mpl_event_new(&event_id) == MPL_OK);
  lock = world_lock(lock_id);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
}

static uint64_t me(void) {
  return mpl_slot_ident(mpl_self);
}

/*
** One process
*/

static void states(void) {
  struct mpl_wait w = MPL_WAIT_INIT;
  make_lock();
  CHECK(mpl_lock_info_of(lock).holder == 0 && mpl_lock_release(lock) == MPL_MISUSE);
  CHECK(mpl_lock_try(lock, 7, &w) == MPL_OK);
  struct mpl_lock_info info = mpl_lock_info_of(lock);
  CHECK(info.holder == me() && info.thread == 7 && !info.abandoned);
  CHECK(mpl_lock_try(lock, 7, &w) == MPL_BLOCK && w.peer == me() && w.ec == &lock->released);
  CHECK(world_acquire(lock, mpl_os_now() + WORLD_MS) == MPL_TIMEOUT);
  CHECK(mpl_lock_release(lock) == MPL_OK && mpl_lock_release(lock) == MPL_MISUSE);
  CHECK(mpl_lock_try(lock, 65535, &w) == MPL_OK && mpl_lock_info_of(lock).thread == 65535);
  CHECK(mpl_lock_info_of(lock).holder == me());
}

/*
** Mutual exclusion
*/

#define CROWD 4
#define ROUNDS 5000

static void enter_often(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    CHECK(world_acquire(lock, world_deadline()) == MPL_OK);
    CHECK(shared->a == shared->b);
    shared->a++;
    if (i % 100 == 0) sched_yield();
    shared->b++;
    CHECK(mpl_lock_release(lock) == MPL_OK);
  }
}

static void exclusion(void) {
  struct mpl_child *child[CROWD];
  make_lock();
  for (int i = 0; i < CROWD; i++) child[i] = world_start(enter_often, NULL);
  for (int i = 0; i < CROWD; i++) CHECK(world_join(child[i]) == 0);
  CHECK(shared->a == CROWD * ROUNDS && shared->b == CROWD * ROUNDS);
  WORLD_WHOLE();
}

/*
** Holders that end
*/

static void take_it(void *arg) {
  (void)arg;
  CHECK(world_acquire(lock, world_deadline()) == MPL_OK);
  mpl_add64_ar(&shared->taken, 1);
}

static void take_and_stay(void *arg) {
  take_it(arg);
  for (;;) pause();
}

static void take_and_note(void *arg) {
  (void)arg;
  enum mpl_status s = world_acquire(lock, world_deadline());
  mpl_store64_rel(&shared->got_at, (uint64_t)mpl_os_now());
  CHECK(s == MPL_RECOVERED || s == MPL_OK);
  mpl_add64_ar(&shared->taken, s == MPL_RECOVERED);
  mpl_add64_ar(&shared->inside, 1);
  CHECK(mpl_lock_release(lock) == MPL_OK);
}

static void until_taken(uint64_t n) {
  int64_t end = world_deadline();
  while (mpl_load64_acq(&shared->taken) < n) {
    CHECK(mpl_os_now() < end);
    sched_yield();
  }
}

static void abandoned(void) {
  make_lock();
  CHECK(world_join(world_start(take_it, NULL)) == 0);
  CHECK(mpl_lock_info_of(lock).abandoned && mpl_lock_info_of(lock).holder != 0);
  CHECK(world_acquire(lock, 0) == MPL_RECOVERED);
  CHECK(mpl_lock_info_of(lock).abandoned && mpl_lock_info_of(lock).holder == me());
  CHECK(mpl_lock_release(lock) == MPL_OK);
  CHECK(world_acquire(lock, 0) == MPL_OK && !mpl_lock_info_of(lock).abandoned);
}

static void released_by_another(void *arg) {
  (void)arg;
  CHECK(mpl_lock_release(lock) == MPL_OK);
}

static void other_releases(void) {
  make_lock();
  CHECK(world_acquire(lock, 0) == MPL_OK);
  struct mpl_child *waiter = world_start(take_and_note, NULL);
  world_until_asleep(waiter->ident, &lock->released);
  CHECK(world_join(world_start(released_by_another, NULL)) == 0);
  CHECK(world_join(waiter) == 0 && mpl_load64_rlx(&shared->taken) == 0);
  CHECK(mpl_lock_info_of(lock).holder == 0);
}

/* All who wait for a holder that is killed get the lock one after the other, the first of them
   as an abandoned one, though the test itself keeps out of it: nobody cleans up after the dead. */
#define WAITERS 5

static void killed_holder(void) {
  struct mpl_child *waiter[WAITERS];
  make_lock();
  struct mpl_child *holder = world_start(take_and_stay, NULL);
  until_taken(1);
  for (int i = 0; i < WAITERS; i++) waiter[i] = world_start(take_and_note, NULL);
  for (int i = 0; i < WAITERS; i++) world_until_asleep(waiter[i]->ident, &lock->released);
  CHECK(kill(holder->pid, SIGKILL) == 0);
  int64_t end = world_deadline();
  while (mpl_load64_acq(&shared->inside) < WAITERS) {
    CHECK(mpl_os_now() < end);
    sched_yield();
  }
  CHECK(mpl_load64_rlx(&shared->taken) == 2); /* the holder, and one who was told of its death */
  for (int i = 0; i < WAITERS; i++) CHECK(world_join(waiter[i]) == 0);
  CHECK(world_join(holder) == -SIGKILL);
  WORLD_WHOLE();
}

/* The kernel wakes the waiter; it does not find out by looking once a second. One of five is
   enough: the machine may be busy. */
static void promptly(void) {
  int64_t least = MPL_NEVER;
  make_lock();
  for (int i = 0; i < 5; i++) {
    mpl_store64_rlx(&shared->taken, 0);
    struct mpl_child *holder = world_start(take_and_stay, NULL);
    until_taken(1);
    struct mpl_child *waiter = world_start(take_and_note, NULL);
    world_until_asleep(waiter->ident, &lock->released);
    int64_t killed_at = mpl_os_now();
    CHECK(kill(holder->pid, SIGKILL) == 0);
    CHECK(world_join(waiter) == 0 && world_join(holder) == -SIGKILL);
    CHECK(mpl_load64_rlx(&shared->taken) == 2);
    int64_t took = (int64_t)mpl_load64_rlx(&shared->got_at) - killed_at;
    if (took < least) least = took;
  }
  CHECK(least < MPL_NS_PER_S / 2);
}

/*
** Robust locks
*/

static uint64_t queue_id;

static void stop_inside(void *arg) {
  (void)arg;
  CHECK(mpl_robust_lock(&world_queue(queue_id)->put_lock) == MPL_OK);
  raise(SIGSTOP);
  mpl_robust_unlock(&world_queue(queue_id)->put_lock);
}

/* A holder that is stopped costs a time-out, and nothing once it goes on. */
static void stopped_holder(void) {
  uint64_t number = 3;
  int status;
  make_lock();
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK);
  struct mpl_queue *q = world_queue(queue_id);
  struct mpl_child *child = world_start(stop_inside, NULL);
  CHECK(waitpid(child->pid, &status, WUNTRACED) == child->pid && WIFSTOPPED(status));
  CHECK(world_put(q, &number, 8, mpl_os_now() + WORLD_MS) == MPL_TIMEOUT);
  CHECK(mpl_robust_lock_until(&q->put_lock, mpl_os_now() + WORLD_MS, NULL) == MPL_TIMEOUT);
  CHECK(mpl_robust_trylock(&q->put_lock) == MPL_BLOCK);
  CHECK(kill(child->pid, SIGCONT) == 0);
  CHECK(world_put(q, &number, 8, world_deadline()) == MPL_OK && world_get_number(q) == 3);
  CHECK(world_join(child) == 0);
}

static bool give_up(void) {
  return ++shared->b > 3;
}

static void stopped_holder_interrupted(void) {
  int status;
  make_lock();
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK);
  struct mpl_child *child = world_start(stop_inside, NULL);
  CHECK(waitpid(child->pid, &status, WUNTRACED) == child->pid && WIFSTOPPED(status));
  struct mpl_robust *inner = &world_queue(queue_id)->put_lock;
  CHECK(mpl_robust_lock_until(inner, MPL_NEVER, give_up) == MPL_SIGNAL && shared->b == 4);
  CHECK(kill(child->pid, SIGKILL) == 0 && world_join(child) == -SIGKILL);
  CHECK(mpl_robust_lock(inner) == MPL_RECOVERED);
  mpl_robust_unlock(inner);
  CHECK(mpl_robust_lock(inner) == MPL_OK);
  mpl_robust_unlock(inner);
}

/* A holder dies in the middle of a section, with another process waiting for the lock: that one
   finds what was there before, at once and every time. */
static void die_inside(void *arg) {
  struct mpl_queue *q = world_queue(queue_id);
  uint64_t putter = *(uint64_t *)arg;
  CHECK(mpl_robust_lock(&q->put_lock) == MPL_OK);
  mpl_store64_rel(&shared->inside, putter);
  for (int i = 0; i < 40; i++) mpl_tx_store(&q->tail_at, 1000000 + putter);
  kill(getpid(), SIGKILL);
}

static void torn_section(void) {
  make_lock();
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK);
  struct mpl_queue *q = world_queue(queue_id);
  uint64_t at = mpl_load64_rlx(&q->tail_at);
  int64_t end = world_deadline();
  for (uint64_t i = 1; i <= 500; i++) {
    struct mpl_child *child = world_start(die_inside, &i);
    while (mpl_load64_acq(&shared->inside) < i) CHECK(mpl_os_now() < end);
    CHECK(mpl_robust_lock(&q->put_lock) == MPL_RECOVERED);
    CHECK(mpl_load64_rlx(&q->tail_at) == at);
    mpl_robust_unlock(&q->put_lock);
    CHECK(world_join(child) == -SIGKILL);
  }
  CHECK(mpl_load64_rlx(&mpl_super()->rolled_back) >= 500);
  WORLD_WHOLE();
}

static void all(void) {
  unit_run("exclusion", exclusion);
  unit_run("abandoned", abandoned);
  unit_run("released by another", other_releases);
  unit_run("killed holder", killed_holder);
  unit_run("promptly", promptly);
}

int main(int argc, char **argv) {
  (void)argc;
  unit_run("states", states);
  unit_run("stopped holder", stopped_holder);
  unit_run("stopped holder, interrupted", stopped_holder_interrupted);
  unit_run("torn section", torn_section);
  all();
  setenv("MPL_NO_WAITV", "1", 1);
  all();
  return unit_end(argv[0]);
}
