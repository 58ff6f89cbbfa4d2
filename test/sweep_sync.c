/*
** The crash sweep of RLock, Semaphore, Event, waiting for many things, Condition and Barrier: see
** crash.h.
*/
#include "crash.h"
#include "shm/many.h"
#include "sync.h"

static struct {
  uint64_t id;
  struct mpl_rlock *rlock;
  struct mpl_semaphore *semaphore;
  struct mpl_condition *condition;
  struct mpl_barrier *barrier;
  mpl_off mine, theirs; /* waiters of a condition, rounds of a barrier: survivor's, victim's */
  uint64_t index;
  uint32_t bell;
  struct mpl_event *event;
  uint64_t letters;  /* a queue with a message that has the only reference to the object */
  mpl_off message;   /* the victim's then */
} s;

#define WAITERS 10 /* more than a section notifies */

/* Somebody may be asleep on the event count from now on, whoever says so ... */
static void arm(struct mpl_ec *ec) {
  mpl_ec_arm(ec);
}

/* ... and would have been woken since: who wakes and finds nobody takes the flag back. */
static bool woken(struct mpl_ec *ec) {
  return (mpl_load32_acq(&ec->word) & MPL_EC_ASLEEP) == 0;
}

static void release(void) {
  mpl_reflist_release(s.id);
}

/* Another process that has done something and was killed; recovered, unlike what it has left. */
static void do_and_die(void *arg) {
  void (*f)(void) = *(void (**)(void))arg;
  f();
  kill(getpid(), SIGKILL);
}

static void have_died(void (*f)(void)) {
  struct mpl_child *child = world_start(do_and_die, &f);
  CHECK(world_join(child) == -SIGKILL);
}

/* The object is the victim's alone, who lets it go. */
static void send_away(void) {
  mpl_off message;
  CHECK(mpl_queue_new(0, &s.letters) == MPL_OK && mpl_message_new(0, 1, &message) == MPL_OK);
  CHECK(mpl_message_add_ref(message, s.id) == MPL_OK);
  CHECK(world_put_message(world_queue(s.letters), message) == MPL_OK);
  release();
}

static void prepare_sent(void) {
  static struct world_batch got;
  CHECK(world_get(world_queue(s.letters), 1, &got, 0) == MPL_OK);
  s.message = got.batch.item[0].message;
}

static void drop(void) {
  mpl_message_drop(mpl_self, s.message);
  mpl_object_bury();
}

static void verify_dropped(bool finished) {
  (void)finished;
  CHECK(mpl_object_type_of(s.id) == MPL_TYPE_NONE);
  mpl_reflist_release(s.letters);
}

/*
** RLock
*/

static void setup_rlock(void) {
  CHECK(mpl_rlock_new(&s.id) == MPL_OK);
  s.rlock = sync_rlock(s.id);
}

static void acquire(void) {
  CHECK(sync_acquire(s.rlock, MPL_NEVER) == MPL_OK);
}

static void acquire_twice(void) {
  acquire();
  acquire();
  arm(&s.rlock->lock.released);
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
  release();
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
  CHECK(mpl_semaphore_new(2, true, &s.id) == MPL_OK);
  s.semaphore = sync_semaphore(s.id);
}

static void setup_no_tokens(void) {
  CHECK(mpl_semaphore_new(0, false, &s.id) == MPL_OK);
  s.semaphore = sync_semaphore(s.id);
  arm(&s.semaphore->released);
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
  release();
}

static void verify_given(bool finished) {
  uint64_t tokens = mpl_semaphore_tokens(s.semaphore);
  CHECK(tokens == 1 ? woken(&s.semaphore->released) : tokens == 0 && !finished);
  CHECK(sync_take(s.semaphore, 0) == (tokens == 1 ? MPL_OK : MPL_TIMEOUT));
  release();
}

/*
** Event, and waiting for many things
*/

static void setup_event(void) {
  CHECK(mpl_event_new(&s.id) == MPL_OK);
  s.event = world_event(s.id);
}

static void set(void) {
  mpl_event_set(s.event);
}

static void setup_awaited(void) {
  setup_event();
  arm(&s.event->changed);
}

static void verify_set(bool finished) {
  bool is_set = mpl_event_is_set(s.event);
  CHECK(is_set ? woken(&s.event->changed) : !finished);
  release();
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
  release();
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
  release();
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
  release();
}

/*
** Condition
*/

static void setup_condition(void) {
  s.id = sync_new_condition();
  s.condition = sync_condition(s.id);
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
  release();
}

static uint64_t lock_id; /* of the victim */

static void prepare_lock(void) {
  CHECK(mpl_rlock_new(&lock_id) == MPL_OK);
}

static void new_condition(void) {
  CHECK(mpl_condition_new(lock_id, &s.id) == MPL_OK);
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
  arm(&s.condition->notified);
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
  bool was_woken = woken(&s.condition->notified);
  uint64_t n = count_notified();
  CHECK(n == 2 ? was_woken : n == 0 && !finished);
  expect_condition();
}

static void verify_all(bool finished) {
  bool was_woken = woken(&s.condition->notified);
  uint64_t n = count_notified();
  CHECK(n == WAITERS || !finished);
  CHECK(n == 0 || was_woken);
  expect_condition();
}

static void setup_waiter(void) {
  setup_condition();
  enter(&s.mine);
  arm(&s.condition->notified);
}

/* The survivor's waiter was there when the victim's was notified, but has no notification itself.
   */
static void enter_notified(void) {
  enter_theirs();
  CHECK(mpl_condition_notify(s.condition, 2) == MPL_OK);
  CHECK(is_notified(s.mine) && is_notified(s.theirs));
  mpl_store64_rlx(&sync_waiter(s.mine)->notified, 0);
  arm(&s.condition->notified);
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
  CHECK(is_notified(s.mine) && woken(&s.condition->notified));
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
  have_died(enter_theirs);
  have_died(enter_notified);
  arm(&s.condition->notified);
}

/* Takes the dead out. */
static void mend(void) {
  CHECK(mpl_condition_notify(s.condition, 0) == MPL_OK);
}

static void setup_waiters_left(void) {
  setup_condition();
  enter(&s.mine);
  have_died(enter_theirs);
  send_away();
}

/*
** Barrier
*/

static void make_barrier(uint64_t parties, bool acts) {
  mpl_off action = acts ? sync_message() : 0;
  CHECK(mpl_barrier_new(parties, MPL_NEVER, acts, action, &s.id) == MPL_OK);
  s.barrier = sync_barrier(s.id);
  arm(&s.barrier->changed);
}

static void prepare_action(void) {
  s.message = sync_message();
}

static void new_barrier(void) {
  CHECK(mpl_barrier_new(2, MPL_NEVER, true, s.message, &s.id) == MPL_OK);
}

static enum mpl_status come(mpl_off *round) {
  struct mpl_wait w = MPL_WAIT_INIT;
  return mpl_barrier_enter(s.barrier, round, &s.index, &w);
}

static enum mpl_status look(mpl_off round, uint64_t index) {
  struct mpl_wait w = MPL_WAIT_INIT;
  return mpl_barrier_try(s.barrier, round, index, &w);
}

static void come_as_victim(void) {
  CHECK(come(&s.theirs) == MPL_OK);
}

static void setup_three(void) {
  make_barrier(3, false);
}

/* The survivor is the first party. */
static void setup_one_of_three(void) {
  setup_three();
  CHECK(come(&s.mine) == MPL_OK && s.index == 1);
}

static void setup_one_of_two(void) {
  make_barrier(2, false);
  CHECK(come(&s.mine) == MPL_OK && s.index == 1);
}

static void setup_one_of_two_that_act(void) {
  make_barrier(2, true);
  CHECK(come(&s.mine) == MPL_OK && s.index == 1);
}

/* The barrier is, or can be made, whole, and keeps no rounds of the dead. */
static void expect_barrier(void) {
  CHECK(mpl_barrier_reset(s.barrier) == MPL_OK && !mpl_barrier_is_broken(s.barrier));
  CHECK(come(&s.theirs) == MPL_OK && s.index == 1);
  CHECK(mpl_barrier_leave(s.barrier, s.theirs, 1) == MPL_CLOSED);
  CHECK(mpl_barrier_is_broken(s.barrier));
  CHECK(mpl_load64_rlx(&s.barrier->rounds) == 0 && mpl_load64_rlx(&s.barrier->current) == 0);
  release();
}

/* What the survivor, who is the first party, finds; it has left then. */
static enum mpl_status find(void) {
  enum mpl_status found = look(s.mine, 1);
  CHECK(found == MPL_BLOCK || woken(&s.barrier->changed));
  CHECK(found != MPL_BLOCK || mpl_barrier_waiting(s.barrier) == 1);
  CHECK(found != MPL_OK || !mpl_barrier_is_broken(s.barrier));
  if (found == MPL_BLOCK) CHECK(mpl_barrier_leave(s.barrier, s.mine, 1) == MPL_CLOSED);
  return found;
}

static void verify_first(bool finished) {
  enum mpl_status found = come(&s.mine);
  CHECK(found == MPL_CLOSED || (found == MPL_OK && s.index == 1 && !finished));
  if (found == MPL_OK) CHECK(mpl_barrier_leave(s.barrier, s.mine, 1) == MPL_CLOSED);
  expect_barrier();
}

static void verify_second(bool finished) {
  enum mpl_status found = find();
  CHECK(found == MPL_CLOSED || (found == MPL_BLOCK && !finished));
  expect_barrier();
}

static void verify_last(bool finished) {
  enum mpl_status found = find();
  CHECK(found == MPL_OK || (found == MPL_BLOCK && !finished));
  expect_barrier();
}

/* Has come as the last and acts: somebody may be asleep until it has. */
static void prepare_acting(void) {
  come_as_victim();
  CHECK(s.index == 2 && look(s.mine, 1) == MPL_BLOCK);
  arm(&s.barrier->changed);
}

/* Lets all go, and goes. */
static void pass_and_go(void) {
  CHECK(mpl_barrier_pass(s.barrier, s.theirs) == MPL_OK);
  CHECK(look(s.theirs, 2) == MPL_OK);
}

static void verify_passed(bool finished) {
  enum mpl_status found = look(s.mine, 1);
  CHECK(found == MPL_OK ? !mpl_barrier_is_broken(s.barrier) : found == MPL_CLOSED && !finished);
  CHECK(woken(&s.barrier->changed));
  expect_barrier();
}

static void go(void) {
  CHECK(look(s.theirs, 2) == MPL_OK);
}

static void verify_gone(bool finished) {
  (void)finished;
  CHECK(find() == MPL_OK);
  expect_barrier();
}

static void give_up(void) {
  CHECK(mpl_barrier_leave(s.barrier, s.theirs, 2) == MPL_CLOSED);
}

static void verify_broken(bool finished) {
  (void)finished;
  CHECK(find() == MPL_CLOSED && mpl_barrier_is_broken(s.barrier));
  expect_barrier();
}

static void break_it(void) {
  CHECK(mpl_barrier_abort(s.barrier) == MPL_OK);
}

static void verify_abort(bool finished) {
  bool broken = mpl_barrier_is_broken(s.barrier);
  CHECK(broken || !finished);
  CHECK(find() == (broken ? MPL_CLOSED : MPL_BLOCK));
  expect_barrier();
}

static void reset(void) {
  CHECK(mpl_barrier_reset(s.barrier) == MPL_OK);
}

static void verify_reset(bool finished) {
  CHECK(!mpl_barrier_is_broken(s.barrier));
  CHECK(find() == MPL_CLOSED || !finished);
  expect_barrier();
}

static void setup_dead_party(void) {
  setup_one_of_three();
  have_died(come_as_victim);
  arm(&s.barrier->changed);
}

static void find_broken(void) {
  CHECK(come(&s.theirs) == MPL_CLOSED);
}

static void setup_rounds_left(void) {
  make_barrier(2, true);
  have_died(come_as_victim);
  reset();
  come_as_victim();
  send_away();
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
    {.name = "release of a condition", .setup = setup_waiters_left, .prepare = prepare_sent,
     .operate = drop, .verify = verify_dropped},
    {.name = "new barrier", .prepare = prepare_action, .operate = new_barrier},
    {.name = "come first", .setup = setup_three, .operate = come_as_victim,
     .verify = verify_first},
    {.name = "come beside another", .setup = setup_three, .operate = come_as_victim,
     .also = come_as_victim, .verify = verify_first},
    {.name = "come second of three", .setup = setup_one_of_three, .operate = come_as_victim,
     .verify = verify_second, .sturdy = true},
    {.name = "come last", .setup = setup_one_of_two, .operate = come_as_victim,
     .verify = verify_last},
    {.name = "act and go", .setup = setup_one_of_two_that_act, .prepare = prepare_acting,
     .operate = pass_and_go, .verify = verify_passed},
    {.name = "come last, to act", .setup = setup_one_of_two_that_act,
     .operate = come_as_victim, .verify = verify_second},
    {.name = "go when all have come", .setup = setup_one_of_two, .prepare = come_as_victim,
     .operate = go, .verify = verify_gone, .sturdy = true},
    {.name = "give up waiting", .setup = setup_one_of_three, .prepare = come_as_victim,
     .operate = give_up, .verify = verify_broken},
    {.name = "abort", .setup = setup_one_of_three, .operate = break_it, .verify = verify_abort},
    {.name = "reset", .setup = setup_one_of_three, .operate = reset, .verify = verify_reset},
    {.name = "find a dead party", .setup = setup_dead_party, .operate = find_broken,
     .verify = verify_broken},
    {.name = "release of a barrier", .setup = setup_rounds_left, .prepare = prepare_sent,
     .operate = drop, .verify = verify_dropped},
};

int main(int argc, char **argv) {
  sync_register();
  mpl_many_install();
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
