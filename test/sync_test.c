/*
** RLock, Semaphore, Condition, Barrier, and waiting for many things: what they promise, and that
** nobody hangs whoever is killed. Everything runs a second time without futex_waitv.
*/
#include <sys/mman.h>

#include "shm/many.h"
#include "sync.h"

static uint64_t id, other_id;

static void make(void) {
  sync_register();
  world_make();
}

/* Starts a member and waits until it sleeps on the event count. */
static struct mpl_child *start_asleep(void (*f)(void *arg), void *arg, struct mpl_ec *ec) {
  struct mpl_child *child = world_start(f, arg);
  world_until_asleep(child->ident, ec);
  return child;
}

static void kill_member(struct mpl_child *child) {
  CHECK(kill(child->pid, SIGKILL) == 0 && world_join(child) == -SIGKILL);
}

static void *shared(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

/*
** RLock
*/

static void expect_held(void *arg) {
  struct mpl_wait w = MPL_WAIT_INIT;
  CHECK(mpl_rlock_try(arg, 0, &w) == MPL_BLOCK && mpl_rlock_release(arg, 0) == MPL_MISUSE);
}

static void take_it(void *arg) {
  CHECK(sync_acquire(arg, world_deadline()) == MPL_OK);
}

static void recursion(void) {
  make();
  CHECK(mpl_rlock_new(&id) == MPL_OK);
  struct mpl_rlock *rlock = sync_rlock(id);
  for (int i = 0; i < 3; i++) take_it(rlock);
  CHECK(mpl_rlock_depth(rlock) == 3);
  CHECK(world_join(world_start(expect_held, rlock)) == 0);
  struct mpl_child *next = start_asleep(take_it, rlock, &rlock->lock.released);
  for (int i = 0; i < 3; i++) CHECK(mpl_rlock_release(rlock, 0) == MPL_OK);
  CHECK(world_join(next) == 0);
  CHECK(mpl_rlock_release(rlock, 0) == MPL_MISUSE);
  CHECK(sync_acquire(rlock, 0) == MPL_RECOVERED && mpl_rlock_depth(rlock) == 1);
  CHECK(mpl_rlock_release(rlock, 0) == MPL_OK);
}

/*
** Semaphore
*/

static void take_token(void *arg) {
  CHECK(sync_take(arg, world_deadline()) == MPL_OK);
}

/* A token wakes one; if that one is killed first, another. */
static void tokens(void) {
  make();
  CHECK(mpl_semaphore_new(0, false, &id) == MPL_OK);
  struct mpl_semaphore *s = sync_semaphore(id);
  CHECK(sync_take(s, 0) == MPL_TIMEOUT);
  struct mpl_child *first = start_asleep(take_token, s, &s->released);
  struct mpl_child *second = start_asleep(take_token, s, &s->released);
  CHECK(kill(first->pid, SIGSTOP) == 0);
  CHECK(mpl_semaphore_release(s) == MPL_OK);
  kill_member(first);
  CHECK(world_join(second) == 0);
  CHECK(mpl_semaphore_tokens(s) == 0);
}

static void bounds(void) {
  make();
  CHECK(mpl_semaphore_new(2, true, &id) == MPL_OK);
  struct mpl_semaphore *s = sync_semaphore(id);
  CHECK(mpl_object_type_of(id) == MPL_TYPE_BOUNDED_SEMAPHORE);
  CHECK(mpl_semaphore_release(s) == MPL_MISUSE);
  CHECK(sync_take(s, 0) == MPL_OK && sync_take(s, 0) == MPL_OK && sync_take(s, 0) == MPL_TIMEOUT);
  CHECK(mpl_semaphore_release(s) == MPL_OK && mpl_semaphore_release(s) == MPL_OK);
  CHECK(mpl_semaphore_release(s) == MPL_MISUSE && mpl_semaphore_tokens(s) == 2);
}

/*
** Condition
*/

static bool is_notified(struct mpl_condition *c, mpl_off waiter) {
  struct mpl_wait w = MPL_WAIT_INIT;
  return mpl_condition_try(c, waiter, &w) == MPL_OK;
}

/* A notification that is passed on goes to who was there when it was given, and to nobody else. */
static void passing_on(void) {
  mpl_off waiter[4];
  make();
  struct mpl_condition *c = sync_condition(sync_new_condition());
  for (int i = 0; i < 3; i++) CHECK(mpl_condition_enter(c, &waiter[i]) == MPL_OK);
  CHECK(mpl_condition_notify(c, 2) == MPL_OK);
  CHECK(mpl_condition_enter(c, &waiter[3]) == MPL_OK);
  CHECK(is_notified(c, waiter[0]) && is_notified(c, waiter[1]));
  CHECK(!is_notified(c, waiter[2]) && !is_notified(c, waiter[3]));
  CHECK(mpl_condition_leave(c, waiter[0], true) == MPL_OK);
  CHECK(is_notified(c, waiter[2]) && !is_notified(c, waiter[3]));
  CHECK(mpl_condition_leave(c, waiter[2], true) == MPL_OK);
  CHECK(!is_notified(c, waiter[3]));
  CHECK(mpl_condition_leave(c, waiter[3], false) == MPL_TIMEOUT);
  CHECK(mpl_condition_leave(c, waiter[1], false) == MPL_OK);
  CHECK(mpl_condition_notify(c, 5) == MPL_OK);
  CHECK(mpl_condition_enter(c, &waiter[0]) == MPL_OK && !is_notified(c, waiter[0]));
  WORLD_WHOLE();
}

static void wait_once(void *arg) {
  take_it(sync_lock_of(arg));
  CHECK(sync_wait(arg, world_deadline()) == MPL_OK);
  CHECK(mpl_rlock_release(sync_lock_of(arg), 0) == MPL_OK);
}

#define WAITERS 20

/* Every second one is killed in its sleep; the others are notified, more than fit into a
   section. */
static void dead_waiters(void) {
  struct mpl_child *child[WAITERS];
  make();
  struct mpl_condition *c = sync_condition(sync_new_condition());
  for (int i = 0; i < WAITERS; i++) child[i] = start_asleep(wait_once, c, &c->notified);
  for (int i = 0; i < WAITERS; i += 2) kill_member(child[i]);
  CHECK(mpl_condition_notify(c, WAITERS / 2 - 1) == MPL_OK);
  int64_t end = world_deadline();
  for (int gone = 0; gone < WAITERS / 2 - 1;) {
    gone = 0;
    for (int i = 1; i < WAITERS; i += 2) gone += mpl_child_ended(child[i]);
    CHECK(mpl_os_now() < end);
    sched_yield();
  }
  mpl_off left = mpl_load64_rlx(&c->first);
  CHECK(left != 0 && mpl_load64_rlx(&sync_waiter(left)->next) == 0);
  CHECK(mpl_condition_notify(c, 1) == MPL_OK);
  for (int i = 1; i < WAITERS; i += 2) CHECK(world_join(child[i]) == 0);
  CHECK(mpl_load64_rlx(&c->first) == 0);
  WORLD_WHOLE();
}

/*
** Barrier
*/

#define PARTIES 5
#define ROUNDS 1000

struct laps {
  mpl_a64 lap[PARTIES];
  struct mpl_barrier *b;
};

struct party {
  struct laps *laps;
  int i;
};

/* Nobody is ever two rounds ahead of another one. */
static void run_laps(void *arg) {
  struct party *p = arg;
  for (uint64_t k = 1; k <= ROUNDS; k++) {
    mpl_store64_rel(&p->laps->lap[p->i], k);
    CHECK(sync_meet(p->laps->b, world_deadline()) == MPL_OK);
    for (int i = 0; i < PARTIES; i++) {
      uint64_t lap = mpl_load64_acq(&p->laps->lap[i]);
      CHECK(lap == k || lap == k + 1);
    }
  }
}

static void lockstep(bool acts) {
  struct mpl_child *child[PARTIES];
  struct laps *laps = shared(sizeof *laps);
  make();
  CHECK(mpl_barrier_new(PARTIES, MPL_NEVER, acts, 0, &id) == MPL_OK);
  laps->b = sync_barrier(id);
  for (int i = 0; i < PARTIES; i++) {
    struct party p = {laps, i};
    child[i] = world_start(run_laps, &p);
  }
  for (int i = 0; i < PARTIES; i++) CHECK(world_join(child[i]) == 0);
  CHECK(mpl_load64_rlx(&laps->b->rounds) == 0 && !mpl_barrier_is_broken(laps->b));
  WORLD_WHOLE();
}

static void no_lapping(void) {
  lockstep(false);
}

static void no_lapping_beside_an_action(void) {
  lockstep(true);
}

static void come_and_act_for_ever(void *arg) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off round;
  uint64_t index;
  CHECK(mpl_barrier_enter(arg, &round, &index, &w) == MPL_OK && index == 2);
  mpl_store64_rlx(&mpl_self->waiting, 0); /* as after a wait in its action */
  for (;;) pause();
}

static void find_broken(void *arg) {
  CHECK(sync_meet(arg, world_deadline()) == MPL_CLOSED);
}

/* Who waits watches the life of the party that acts. */
static void death_of_the_actor(void) {
  make();
  CHECK(mpl_barrier_new(2, MPL_NEVER, true, 0, &id) == MPL_OK);
  struct mpl_barrier *b = sync_barrier(id);
  struct mpl_child *waiter = start_asleep(find_broken, b, &b->changed);
  struct mpl_child *actor = world_start(come_and_act_for_ever, b);
  struct mpl_slot *slot = mpl_slot_find(waiter->ident);
  int64_t end = world_deadline();
  while (mpl_load64_acq(&slot->wait.mortal) != actor->ident) {
    CHECK(mpl_os_now() < end);
    sched_yield();
  }
  kill_member(actor);
  CHECK(world_join(waiter) == 0 && mpl_barrier_is_broken(b));
}

/* A time-out breaks a round that is being filled, not one that acts, nor what that one waits
   for. */
static void too_late(void) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off first, second, round;
  uint64_t index;
  make();
  CHECK(mpl_barrier_new(2, MPL_NEVER, true, 0, &id) == MPL_OK);
  struct mpl_barrier *b = sync_barrier(id);
  CHECK(mpl_barrier_enter(b, &first, &index, &w) == MPL_OK && index == 1);
  CHECK(mpl_barrier_enter(b, &second, &index, &w) == MPL_OK && index == 2);
  CHECK(mpl_barrier_enter(b, &round, &index, &w) == MPL_BLOCK);
  CHECK(mpl_barrier_late(b, first, 1) == MPL_BLOCK);
  CHECK(mpl_barrier_late(b, 0, 0) == MPL_CLOSED && mpl_barrier_is_broken(b));
  CHECK(mpl_barrier_pass(b, second) == MPL_OK);
  CHECK(mpl_barrier_try(b, first, 1, &w) == MPL_OK && mpl_barrier_late(b, second, 2) == MPL_OK);
  CHECK(mpl_barrier_enter(b, &round, &index, &w) == MPL_CLOSED);
  CHECK(mpl_barrier_reset(b) == MPL_OK);
  CHECK(mpl_barrier_enter(b, &first, &index, &w) == MPL_OK && index == 1);
  CHECK(mpl_barrier_late(b, first, 1) == MPL_CLOSED && mpl_barrier_is_broken(b));
  CHECK(mpl_load64_rlx(&b->rounds) == 0);
  WORLD_WHOLE();
}

/*
** Many things
*/

/* Waits for the event; with descriptors if arg is not NULL. */
static void wait_for_many(void *arg) {
  struct mpl_event *event = world_event(id);
  struct mpl_ec *ec = &event->changed;
  int fd[2];
  CHECK(pipe(fd) == 0);
  struct pollfd p = {.fd = fd[0], .events = POLLIN};
  struct mpl_many many = {.ec = &ec, .nec = 1, .fd = &p, .nfd = arg != NULL};
  sigset_t before, after;
  sigprocmask(SIG_SETMASK, NULL, &before);
  int64_t end = world_deadline();
  for (;;) {
    mpl_many_arm(&many);
    if (mpl_event_is_set(event)) break;
    CHECK(mpl_many_sleep(&many, end) != MPL_TIMEOUT);
  }
  mpl_many_disarm(&many);
  sigprocmask(SIG_SETMASK, NULL, &after);
  CHECK(sigismember(&after, SIGURG) == sigismember(&before, SIGURG));
  CHECK(mpl_load32_rlx(&mpl_self->polls) == 0);
}

#define LATER_NS 3000 /* than in the round before */

/* Signalled again and again, at another moment of the wait each time. Who has missed a wake-up
   looks for himself after a second; on a busy machine few who were woken take as long. */
static void many_are_woken(void) {
  static const int rounds = 300;
  int late = 0;
  make();
  CHECK(mpl_event_new(&id) == MPL_OK);
  for (int i = 0; i < rounds; i++) {
    struct mpl_child *plain = world_start(wait_for_many, NULL);
    struct mpl_child *polling = world_start(wait_for_many, &id);
    int64_t set = mpl_os_now() + i * LATER_NS;
    while (mpl_os_now() < set) mpl_cpu_relax();
    mpl_event_set(world_event(id));
    CHECK(world_join(plain) == 0 && world_join(polling) == 0);
    late += mpl_os_now() - set >= MPL_NS_PER_S / 2;
    mpl_event_clear(world_event(id));
  }
  CHECK(late < rounds / 5);
}

/*
** Kills: four at each thing, one of whom is killed again and again. What each has done is counted;
** after each kill all who live must go on.
*/

#if defined(__SANITIZE_ADDRESS__)
#define KILLS 80
#else
#define KILLS 300
#endif
#define AT_WORK 4

static mpl_a64 *done; /* by each, in shared memory */

struct job {
  void (*once)(int i);
  int i;
};

static void do_job(void *arg) {
  struct job *job = arg;
  for (;;) {
    job->once(job->i);
    mpl_add64_ar(&done[job->i], 1);
  }
}

/* Who reaches a deadline hangs. */
static void work_on_rlock(int i) {
  (void)i;
  struct mpl_rlock *rlock = sync_rlock(id);
  enum mpl_status s = sync_acquire(rlock, world_deadline());
  CHECK(s == MPL_OK || s == MPL_RECOVERED);
  CHECK(sync_acquire(rlock, 0) == MPL_OK && mpl_rlock_depth(rlock) == 2);
  CHECK(mpl_rlock_release(rlock, 0) == MPL_OK && mpl_rlock_release(rlock, 0) == MPL_OK);
}

/* Two give, one token at a time, two take. */
static void work_on_semaphore(int i) {
  struct mpl_semaphore *s = sync_semaphore(id);
  if (i % 2 == 0)
    CHECK(sync_take(s, world_deadline()) == MPL_OK);
  else if (mpl_semaphore_tokens(s) == 0)
    CHECK(mpl_semaphore_release(s) == MPL_OK);
  else
    sched_yield();
}

/* Two wait, two notify; no wait ends by its time. */
static void work_on_condition(int i) {
  struct mpl_condition *c = sync_condition(id);
  enum mpl_status s = sync_acquire(sync_lock_of(c), world_deadline());
  CHECK(s == MPL_OK || s == MPL_RECOVERED);
  if (i % 2 == 0)
    CHECK(sync_wait(c, world_deadline()) == MPL_OK);
  else
    CHECK(mpl_condition_notify(c, 1) == MPL_OK);
  CHECK(mpl_rlock_release(sync_lock_of(c), 0) == MPL_OK);
}

/* All meet; who finds it broken makes it whole. */
static void work_on_barrier(int i) {
  (void)i;
  struct mpl_barrier *b = sync_barrier(id);
  if (sync_meet(b, world_deadline()) == MPL_CLOSED && mpl_barrier_is_broken(b))
    CHECK(mpl_barrier_reset(b) == MPL_OK);
}

/* Two set, two wait for many things. */
static void work_on_many(int i) {
  if (i < 2) {
    mpl_event_set(world_event(id));
    mpl_event_clear(world_event(id));
    return;
  }
  struct mpl_ec *ec[2] = {&world_event(id)->changed, &world_event(other_id)->changed};
  int fd[2];
  CHECK(pipe(fd) == 0);
  struct pollfd p = {.fd = fd[0], .events = POLLIN};
  struct mpl_many many = {.ec = ec, .nec = 2, .fd = &p, .nfd = i == 2};
  mpl_many_arm(&many);
  CHECK(mpl_many_sleep(&many, world_deadline()) != MPL_ERRNO);
  CHECK(close(fd[0]) == 0 && close(fd[1]) == 0);
}

static struct mpl_child *put_to_work(void (*once)(int i), int i) {
  struct job job = {once, i};
  return world_start(do_job, &job);
}

static void expect_progress(void) {
  uint64_t seen[AT_WORK];
  int64_t end = world_deadline();
  for (int i = 0; i < AT_WORK; i++) seen[i] = mpl_load64_acq(&done[i]);
  for (int i = 0; i < AT_WORK; i++)
    while (mpl_load64_acq(&done[i]) == seen[i]) {
      CHECK(mpl_os_now() < end);
      sched_yield();
    }
}

static void storm(void (*once)(int i)) {
  struct mpl_child *child[AT_WORK];
  unsigned seed = (unsigned)mpl_os_now();
  done = shared(AT_WORK * sizeof *done);
  for (int i = 0; i < AT_WORK; i++) child[i] = put_to_work(once, i);
  for (int k = 0; k < KILLS; k++) {
    unit_goes_on();
    int i = rand_r(&seed) % AT_WORK;
    if (k % 4 == 0) expect_progress();
    for (int n = rand_r(&seed) % 1000; n > 0; n--) mpl_cpu_relax();
    kill_member(child[i]);
    child[i] = put_to_work(once, i);
  }
  expect_progress();
  for (int i = 0; i < AT_WORK; i++) kill_member(child[i]);
  mpl_reflist_release(id);
  mpl_object_bury();
  WORLD_WHOLE();
}

static void kills_at_rlock(void) {
  make();
  struct world_sum before = world_sum();
  CHECK(mpl_rlock_new(&id) == MPL_OK);
  storm(work_on_rlock);
  CHECK(world_sum().objects == before.objects);
}

static void kills_at_semaphore(void) {
  make();
  CHECK(mpl_semaphore_new(0, false, &id) == MPL_OK);
  storm(work_on_semaphore);
}

static void kills_at_condition(void) {
  make();
  id = sync_new_condition();
  storm(work_on_condition);
  CHECK(world_sum().objects == 0);
}

static void kills_at_barrier(void) {
  make();
  CHECK(mpl_barrier_new(AT_WORK, MPL_NEVER, true, 0, &id) == MPL_OK);
  storm(work_on_barrier);
}

static void kills_at_many(void) {
  make();
  CHECK(mpl_event_new(&id) == MPL_OK && mpl_event_new(&other_id) == MPL_OK);
  storm(work_on_many);
}

static const struct {
  const char *name;
  void (*f)(void);
} cases[] = {
    {"recursion", recursion},
    {"tokens", tokens},
    {"bounds", bounds},
    {"passing a notification on", passing_on},
    {"dead waiters", dead_waiters},
    {"no lapping", no_lapping},
    {"no lapping beside an action", no_lapping_beside_an_action},
    {"death of the actor", death_of_the_actor},
    {"too late", too_late},
    {"many are woken", many_are_woken},
    {"kills at an rlock", kills_at_rlock},
    {"kills at a semaphore", kills_at_semaphore},
    {"kills at a condition", kills_at_condition},
    {"kills at a barrier", kills_at_barrier},
    {"kills at many things", kills_at_many},
};

int main(int argc, char **argv) {
  for (int without = 0; without < 2; without++) {
    if (without) setenv("MPL_NO_WAITV", "1", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
      if (argc < 2 || strcmp(argv[1], cases[i].name) == 0) unit_run(cases[i].name, cases[i].f);
  }
  return unit_end(argv[0]);
}
