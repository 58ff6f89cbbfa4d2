/*
** The crash sweep of RLock, Semaphore, Event, waiting for many things and Condition: see crash.h.
*/
/* Level 2 for one in so many first deaths; CFLAGS=-DCRASH_SAMPLED=1 sweeps all of it. */
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 6
#endif

#include "shm/many.h"
#include "sync_sweep.h"

static struct {
  struct sync_scene it;
  struct mpl_rlock *rlock;
  struct mpl_semaphore *semaphore;
  struct mpl_event *event;
  struct mpl_condition *condition;
  mpl_off mine, theirs; /* waiters: the survivor's, the victim's */
  uint32_t bell;
} s;

#define WAITERS 10 /* more than a section notifies */

/*
** RLock
*/

static void setup_rlock(void) {
  CHECK(mpl_rlock_new(&s.it.id) == MPL_OK);
  s.rlock = sync_rlock(s.it.id);
}

static void acquire(void) {
  CHECK(sync_acquire(s.rlock, MPL_NEVER) == MPL_OK);
}

static void acquire_twice(void) {
  acquire();
  acquire();
  sync_arm(&s.rlock->lock.released);
}

static void release_twice(void) {
  CHECK(mpl_rlock_release(s.rlock, 0) == MPL_OK);
  CHECK(mpl_rlock_release(s.rlock, 0) == MPL_OK);
}

/* Whoever takes it holds it once, however often the dead did. */
static void expect_rlock(enum mpl_status expected) {
  CHECK(sync_acquire(s.rlock, world_deadline()) == expected);
  CHECK(mpl_rlock_depth(s.rlock) == 1 && mpl_rlock_release(s.rlock, 0) == MPL_OK);
  CHECK(mpl_rlock_release(s.rlock, 0) == MPL_MISUSE);
  sync_release();
}

static void verify_acquired(bool finished) {
  bool held = mpl_lock_info_of(&s.rlock->lock).holder != 0;
  CHECK(held || !finished);
  expect_rlock(held ? MPL_RECOVERED : MPL_OK);
}

static void verify_held(bool finished) {
  (void)finished;
  expect_rlock(MPL_RECOVERED);
}

static void verify_released(bool finished) {
  bool held = mpl_lock_info_of(&s.rlock->lock).holder != 0;
  CHECK(!held || !finished);
  expect_rlock(held ? MPL_RECOVERED : MPL_OK);
}

/*
** Semaphore
*/

static void setup_tokens(void) {
  CHECK(mpl_semaphore_new(2, true, &s.it.id) == MPL_OK);
  s.semaphore = sync_semaphore(s.it.id);
}

static void setup_no_tokens(void) {
  CHECK(mpl_semaphore_new(0, false, &s.it.id) == MPL_OK);
  s.semaphore = sync_semaphore(s.it.id);
  sync_arm(&s.semaphore->released);
}

static void take(void) {
  CHECK(sync_take(s.semaphore, MPL_NEVER) == MPL_OK);
}

static void give(void) {
  CHECK(mpl_semaphore_release(s.semaphore) == MPL_OK);
}

static void verify_taken(bool finished) {
  uint64_t tokens = mpl_semaphore_tokens(s.semaphore);
  CHECK(tokens == 1 || (tokens == 2 && !finished));
  CHECK(mpl_semaphore_release(s.semaphore) == (tokens == 1 ? MPL_OK : MPL_MISUSE));
  sync_release();
}

static void verify_given(bool finished) {
  uint64_t tokens = mpl_semaphore_tokens(s.semaphore);
  CHECK(tokens == 1 ? sync_woken(&s.semaphore->released) : tokens == 0 && !finished);
  CHECK(sync_take(s.semaphore, 0) == (tokens == 1 ? MPL_OK : MPL_TIMEOUT));
  sync_release();
}

/*
** Event, and waiting for many things
*/

static void setup_event(void) {
  CHECK(mpl_event_new(&s.it.id) == MPL_OK);
  s.event = world_event(s.it.id);
}

static void set(void) {
  mpl_event_set(s.event);
}

static void setup_awaited(void) {
  setup_event();
  sync_arm(&s.event->changed);
}

static void verify_set(bool finished) {
  bool is_set = mpl_event_is_set(s.event);
  CHECK(is_set ? sync_woken(&s.event->changed) : !finished);
  sync_release();
}

static void setup_set(void) {
  setup_event();
  set();
}

static void clear(void) {
  mpl_event_clear(s.event);
}

static void verify_cleared(bool finished) {
  CHECK(!mpl_event_is_set(s.event) || !finished);
  sync_release();
}

/* The survivor waits elsewhere. */
static void setup_awaited_elsewhere(void) {
  setup_event();
  struct mpl_ec *ec = &s.event->changed;
  struct mpl_many many = {.ec = &ec, .nec = 1};
  mpl_many_arm(&many);
  s.bell = many.bell;
  mpl_many_disarm(&many);
}

static void verify_rung(bool finished) {
  bool rung = mpl_load32_acq(&mpl_super()->bell) != s.bell;
  CHECK(mpl_event_is_set(s.event) ? rung : !finished);
  sync_release();
}

/* Waits for the event and a descriptor, which is ready. */
static void wait_for_many(void) {
  int fds[2];
  CHECK(pipe(fds) == 0 && close(fds[1]) == 0);
  struct mpl_ec *ec = &s.event->changed;
  struct pollfd fd = {.fd = fds[0], .events = POLLIN};
  struct mpl_many many = {.ec = &ec, .nec = 1, .fd = &fd, .nfd = 1};
  mpl_many_arm(&many);
  CHECK(mpl_many_sleep(&many, world_deadline()) == MPL_OK && fd.revents != 0);
}

/* The next one to wait is rung for; then the flag is gone. */
static void verify_waited(bool finished) {
  (void)finished;
  struct mpl_ec *ec = &s.event->changed;
  struct mpl_many many = {.ec = &ec, .nec = 1};
  mpl_many_arm(&many);
  set();
  mpl_many_disarm(&many);
  CHECK(mpl_load32_acq(&mpl_super()->bell) != many.bell);
  CHECK((mpl_load32_acq(&ec->word) & MPL_EC_ELSEWHERE) == 0);
  sync_release();
}

/*
** Condition
*/

static void setup_condition(void) {
  s.it.id = sync_new_condition();
  s.condition = sync_condition(s.it.id);
}

static void enter(mpl_off *waiter) {
  CHECK(mpl_condition_enter(s.condition, waiter) == MPL_OK);
}

static bool is_notified(mpl_off waiter) {
  struct mpl_wait w = MPL_WAIT_INIT;
  return mpl_condition_try(s.condition, waiter, &w) == MPL_OK;
}

static void leave_mine(bool notified) {
  CHECK(is_notified(s.mine) == notified);
  CHECK(mpl_condition_leave(s.condition, s.mine, false) == (notified ? MPL_OK : MPL_TIMEOUT));
}

/* The list is empty but for the dead, and works. */
static void expect_condition(void) {
  enter(&s.mine);
  CHECK(!is_notified(s.mine));
  CHECK(mpl_load64_rlx(&s.condition->first) == s.mine);
  CHECK(mpl_condition_notify(s.condition, 2) == MPL_OK);
  leave_mine(true);
  CHECK(mpl_load64_rlx(&s.condition->first) == 0 && mpl_load64_rlx(&s.condition->last) == 0);
  sync_release();
}

static uint64_t lock_id; /* of the victim */

static void prepare_lock(void) {
  CHECK(mpl_rlock_new(&lock_id) == MPL_OK);
}

static void new_condition(void) {
  CHECK(mpl_condition_new(lock_id, &s.it.id) == MPL_OK);
}

static void enter_theirs(void) {
  enter(&s.theirs);
}

static void verify_condition(bool finished) {
  (void)finished;
  expect_condition();
}

static void setup_waiters(void) {
  setup_condition();
  enter(&s.mine);
  for (int i = 1; i < WAITERS; i++) enter_theirs();
  sync_arm(&s.condition->notified);
}

static void notify_two(void) {
  CHECK(mpl_condition_notify(s.condition, 2) == MPL_OK);
}

static void notify_all(void) {
  CHECK(mpl_condition_notify(s.condition, UINT64_MAX) == MPL_OK);
}

/* The first so many of the survivor's waiters are notified, who leave. */
static uint64_t count_notified(void) {
  uint64_t n = 0;
  bool more = true;
  for (mpl_off w; (w = mpl_load64_rlx(&s.condition->first)) != 0;) {
    bool notified = is_notified(w);
    CHECK(more || !notified);
    more = notified;
    n += notified;
    CHECK(mpl_condition_leave(s.condition, w, false) == (notified ? MPL_OK : MPL_TIMEOUT));
  }
  return n;
}

static void verify_two(bool finished) {
  bool was_woken = sync_woken(&s.condition->notified);
  uint64_t n = count_notified();
  CHECK(n == 2 ? was_woken : n == 0 && !finished);
  expect_condition();
}

static void verify_all(bool finished) {
  bool was_woken = sync_woken(&s.condition->notified);
  uint64_t n = count_notified();
  CHECK(n == WAITERS || !finished);
  CHECK(n == 0 || was_woken);
  expect_condition();
}

static void setup_waiter(void) {
  setup_condition();
  enter(&s.mine);
  sync_arm(&s.condition->notified);
}

/* The survivor's waiter was there when the victim's was notified, but has no notification
   itself. */
static void enter_notified(void) {
  enter_theirs();
  CHECK(mpl_condition_notify(s.condition, 2) == MPL_OK);
  CHECK(is_notified(s.mine) && is_notified(s.theirs));
  mpl_store64_rlx(&sync_waiter(s.mine)->notified, 0);
  sync_arm(&s.condition->notified);
}

static void pass_on(void) {
  CHECK(mpl_condition_leave(s.condition, s.theirs, true) == MPL_OK);
}

static void leave_notified(void) {
  CHECK(mpl_condition_leave(s.condition, s.theirs, false) == MPL_OK);
}

/* The notification has come to the survivor, by the victim or for it. */
static void verify_passed_on(bool finished) {
  (void)finished;
  CHECK(is_notified(s.mine) && sync_woken(&s.condition->notified));
  leave_mine(true);
  expect_condition();
}

static void verify_left(bool finished) {
  CHECK(!is_notified(s.mine) || !finished);
  leave_mine(is_notified(s.mine));
  expect_condition();
}

static void setup_dead_waiters(void) {
  setup_waiter();
  sync_have_died(enter_theirs);
  sync_have_died(enter_notified);
  sync_arm(&s.condition->notified);
}

/* Takes the dead out. */
static void mend(void) {
  CHECK(mpl_condition_notify(s.condition, 0) == MPL_OK);
}

static void setup_waiters_left(void) {
  setup_condition();
  enter(&s.mine);
  sync_have_died(enter_theirs);
  sync_send_away();
}

static const struct crash_op ops[] = {
    {.name = "acquire an rlock", .setup = setup_rlock, .operate = acquire,
     .verify = verify_acquired,
     .sturdy = true},
    {.name = "acquire an rlock again", .setup = setup_rlock, .prepare = acquire,
     .operate = acquire, .verify = verify_held,
     .sturdy = true},
    {.name = "release an rlock held twice", .setup = setup_rlock, .prepare = acquire_twice,
     .operate = release_twice, .verify = verify_released,
     .sturdy = true},
    {.name = "take a token", .setup = setup_tokens, .operate = take, .verify = verify_taken,
     .sturdy = true},
    {.name = "give a token", .setup = setup_no_tokens, .operate = give, .verify = verify_given},
    {.name = "set an event", .setup = setup_awaited, .operate = set, .verify = verify_set},
    {.name = "set an event, awaited elsewhere", .setup = setup_awaited_elsewhere, .operate = set,
     .verify = verify_rung},
    {.name = "clear an event", .setup = setup_set, .operate = clear, .verify = verify_cleared,
     .sturdy = true},
    {.name = "wait for many things", .setup = setup_event, .operate = wait_for_many,
     .verify = verify_waited, .sturdy = true},
    {.name = "new condition", .prepare = prepare_lock, .operate = new_condition},
    {.name = "enter a condition", .setup = setup_condition, .operate = enter_theirs,
     .verify = verify_condition},
    {.name = "notify two", .setup = setup_waiters, .operate = notify_two, .verify = verify_two},
    {.name = "notify all", .setup = setup_waiters, .operate = notify_all, .verify = verify_all},
    {.name = "leave notified", .setup = setup_waiter, .prepare = enter_notified,
     .operate = leave_notified, .verify = verify_left},
    {.name = "pass a notification on", .setup = setup_waiter, .prepare = enter_notified,
     .operate = pass_on, .verify = verify_passed_on},
    {.name = "take dead waiters out", .setup = setup_dead_waiters, .operate = mend,
     .verify = verify_passed_on},
    {.name = "release of a condition", .setup = setup_waiters_left, .prepare = sync_take_sent,
     .operate = sync_drop, .verify = sync_verify_dropped},
};

int main(int argc, char **argv) {
  mpl_many_install();
  return sync_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
