/*
** The crash sweep of locks and events, of processes that start and end, and of recovery itself: see
** crash.h.
*/
#include "crash.h"

static struct {
  uint64_t id;
  struct world_sleeper sleeper;
  uint64_t lock; /* of the dead one */
  uint64_t dead;
} s;

static void new_lock(void) {
  CHECK(mpl_lock_new(&s.id) == MPL_OK);
}

static void release_lock(void) {
  mpl_reflist_release(s.id);
}

/*
** Locks and events
*/

static void acquire(void) {
  CHECK(world_acquire(world_lock(s.id), MPL_NEVER) == MPL_OK);
}

static void verify_acquired(bool finished) {
  struct mpl_lock *lock = world_lock(s.id);
  enum mpl_status got = world_acquire(lock, world_deadline());
  CHECK(got == MPL_RECOVERED || (got == MPL_OK && !finished));
  CHECK(mpl_lock_info_of(lock).abandoned == (got == MPL_RECOVERED));
  CHECK(mpl_lock_release(lock) == MPL_OK);
  CHECK(world_acquire(lock, world_deadline()) == MPL_OK);
  release_lock();
}

/* A process that may die and does not come back. */
static uint64_t lose(void (*operate)(void)) {
  struct crash_member member;
  crash_reserve(&member);
  struct crash_part part = {.member = &member, .operate = operate};
  CHECK(crash_do(&part) == CRASH_DIED);
  return member.ident;
}

static void acquire_and_die(void) {
  acquire();
  kill(getpid(), SIGKILL);
}

static void setup_abandoned(void) {
  new_lock();
  mpl_recover(lose(acquire_and_die));
}

static void take_over(void) {
  CHECK(world_acquire(world_lock(s.id), world_deadline()) == MPL_RECOVERED);
}

static void verify_abandoned(bool finished) {
  (void)finished;
  CHECK(world_acquire(world_lock(s.id), world_deadline()) == MPL_RECOVERED);
  release_lock();
}

static void setup_held(void) {
  new_lock();
  acquire();
  world_sleep_on(&world_lock(s.id)->released, &s.sleeper);
}

static void acquire_in_vain(void) {
  CHECK(world_acquire(world_lock(s.id), mpl_os_now() + WORLD_MS / 5) == MPL_TIMEOUT);
}

static void verify_held(bool finished) {
  (void)finished;
  CHECK(mpl_lock_info_of(world_lock(s.id)).holder == mpl_slot_ident(mpl_self));
  release_lock();
}

static void prepare_held(void) {
  acquire();
  world_sleep_on(&world_lock(s.id)->released, &s.sleeper);
}

static void unlock(void) {
  CHECK(mpl_lock_release(world_lock(s.id)) == MPL_OK);
}

static void verify_unlocked(bool finished) {
  struct mpl_lock *lock = world_lock(s.id);
  CHECK(mpl_lock_info_of(lock).holder == 0 || !finished);
  enum mpl_status got = world_acquire(lock, world_deadline());
  CHECK(got == MPL_OK || (got == MPL_RECOVERED && !finished));
  release_lock();
}

/* The holder lives; somebody else has released its lock or not. */
static void verify_unlocked_for(bool finished) {
  struct mpl_lock *lock = world_lock(s.id);
  bool done = mpl_lock_info_of(lock).holder == 0;
  CHECK(done ? world_woken(&s.sleeper) : !finished);
  if (done) CHECK(world_acquire(lock, world_deadline()) == MPL_OK);
  CHECK(mpl_lock_release(lock) == MPL_OK);
  release_lock();
}

static void setup_event(void) {
  CHECK(mpl_event_new(&s.id) == MPL_OK);
  world_sleep_on(&world_event(s.id)->changed, &s.sleeper);
}

static void set_event(void) {
  mpl_event_set(world_event(s.id));
}

static void clear_event(void) {
  mpl_event_clear(world_event(s.id));
}

static void await_in_vain(void) {
  CHECK(world_await(world_event(s.id), mpl_os_now() + WORLD_MS / 5) == MPL_TIMEOUT);
}

/* Goes on with it. */
static void use_event(void) {
  struct mpl_event *event = world_event(s.id);
  mpl_event_set(event);
  CHECK(world_await(event, 0) == MPL_OK);
  mpl_event_clear(event);
  CHECK(world_await(event, 0) == MPL_TIMEOUT);
  mpl_reflist_release(s.id);
}

static void verify_event(bool finished) {
  struct mpl_event *event = world_event(s.id);
  CHECK(mpl_event_is_set(event) ? world_woken(&s.sleeper) : !finished);
  use_event();
}

static void setup_event_set(void) {
  setup_event();
  set_event();
}

static void verify_event_clear(bool finished) {
  CHECK(!mpl_event_is_set(world_event(s.id)) || !finished);
  use_event();
}

static void verify_awaited(bool finished) {
  (void)finished;
  CHECK(!mpl_event_is_set(world_event(s.id)));
  use_event();
}

/*
** Processes. A child goes on with its parent's count of points, so it dies where its parent does,
** each at its own n-th point, unless one of them is disarmed after the fork.
*/

static void nothing(void *arg) {
  (void)arg;
}

static void disarm(void) {
  mpl_point_arm(0);
}

static void prepare_fork_parent_dies(void) {
  CHECK(pthread_atfork(NULL, NULL, disarm) == 0);
}

static void prepare_fork_child_dies(void) {
  CHECK(pthread_atfork(NULL, disarm, NULL) == 0);
}

/* A child's death counts as one of the operation. */
static void join(struct mpl_child *child) {
  if (world_join(child) == -SIGKILL) kill(getpid(), SIGKILL);
}

static void fork_and_join(void) {
  join(world_start(nothing, NULL));
}

static struct mpl_child *start_daemon(void (*f)(void)) {
  struct mpl_child *child;
  CHECK(mpl_fork("daemon", MPL_FORK_DAEMON, &child) == MPL_OK);
  if (child == NULL) {
    f();
    mpl_exit_child(0);
  }
  return child;
}

static void fork_daemon(void) {
  join(start_daemon(disarm));
}

static void verify_forked(bool finished) {
  (void)finished;
  CHECK(world_join(world_start(nothing, NULL)) == 0);
  release_lock();
}

static void sleep_for_ever(void) {
  disarm();
  for (;;) pause();
}

static void prepare_daemon(void) {
  start_daemon(sleep_for_ever);
}

static void end_children(void) {
  CHECK(mpl_exit_join_children() == MPL_OK);
}

/* References to a lock, to a queue with both kinds of items, and something in hand. */
static void prepare_exit(void) {
  new_lock();
  CHECK(mpl_queue_new(0, &s.id) == MPL_OK);
  struct mpl_queue *q = world_queue(s.id);
  CHECK(world_put_number(q, 1) == MPL_OK && world_put_message(q, world_letter(1)) == MPL_OK);
}

static void leave(void) {
  mpl_exit_child(0);
}

/* Slots are free for the victim and the helper alone. */
static void setup_slots(void) {
  struct mpl_slot *slot;
  for (int i = 0; i < MPL_SLOT_CHUNK - 3; i++)
    CHECK(mpl_slot_reserve("taken", &slot) == MPL_OK);
}

static void reserve_slot(void) {
  struct mpl_slot *slot;
  CHECK(mpl_slot_reserve("beyond", &slot) == MPL_OK);
  CHECK(mpl_slot_index(mpl_slot_ident(slot)) >= MPL_SLOT_CHUNK);
}

static void verify_slots(bool finished) {
  CHECK(mpl_slot_count() > MPL_SLOT_CHUNK || !finished);
  for (uint64_t i = 0; i < mpl_slot_count(); i++)
    if (mpl_slot_state_of(mpl_slot_at(i)) == MPL_SLOT_RESERVED)
      mpl_recover_unclaimed(mpl_slot_at(i), mpl_slot_ident(mpl_slot_at(i)));
}

/*
** Recovery. The dead one holds a lock, a message with a reference and a structure's lock, has a
** section open in which it owes a wake-up, and was asleep a moment ago.
*/

static void die_rich(void) {
  CHECK(mpl_lock_new(&s.lock) == MPL_OK);
  CHECK(world_acquire(world_lock(s.lock), 0) == MPL_OK);
  struct mpl_queue *q = world_queue(s.id);
  mpl_store64_rlx(&mpl_self->waiting, mpl_arena_off(&q->not_full));
  mpl_point_arm(12);
  world_put_message(q, world_letter(1));
}

static void setup_dead(void) {
  CHECK(mpl_queue_new(0, &s.id) == MPL_OK);
  world_sleep_on(&world_queue(s.id)->not_empty, &s.sleeper);
  s.dead = lose(die_rich);
}

static void recover_dead(void) {
  mpl_recover(s.dead);
}

static void verify_recovered(bool finished) {
  CHECK(mpl_slot_find(s.dead) == NULL || !finished);
  mpl_recover(s.dead);
  struct mpl_queue *q = world_queue(s.id);
  CHECK(mpl_slot_find(s.dead) == NULL && mpl_queue_size(q) == 0);
  CHECK(world_put_number(q, 3) == MPL_OK && world_get_number(q) == 3);
  mpl_reflist_release(s.id);
}

static const struct crash_op ops[] = {
    {.name = "acquire", .setup = new_lock, .operate = acquire, .verify = verify_acquired,
     .sturdy = true},
    {.name = "acquire from the dead", .setup = setup_abandoned, .operate = take_over,
     .verify = verify_abandoned, .sturdy = true},
    {.name = "acquire, somebody has it", .setup = setup_held, .operate = acquire_in_vain,
     .verify = verify_held, .sturdy = true},
    {.name = "release of a lock", .setup = new_lock, .prepare = prepare_held, .operate = unlock,
     .verify = verify_unlocked, .sturdy = true},
    {.name = "release of another's lock", .setup = setup_held, .operate = unlock,
     .verify = verify_unlocked_for},
    {.name = "set an event", .setup = setup_event, .operate = set_event, .verify = verify_event},
    {.name = "clear an event", .setup = setup_event_set, .operate = clear_event,
     .verify = verify_event_clear, .sturdy = true},
    {.name = "wait for an event", .setup = setup_event, .operate = await_in_vain,
     .verify = verify_awaited, .sturdy = true},
    {.name = "fork and join", .setup = new_lock, .operate = fork_and_join,
     .verify = verify_forked},
    {.name = "fork, the parent dies", .setup = new_lock, .prepare = prepare_fork_parent_dies,
     .operate = fork_and_join, .verify = verify_forked, .sturdy = true},
    {.name = "fork, the child dies", .setup = new_lock, .prepare = prepare_fork_child_dies,
     .operate = fork_and_join, .verify = verify_forked, .sturdy = true},
    {.name = "fork of a daemon", .setup = new_lock, .operate = fork_daemon,
     .verify = verify_forked, .sturdy = true},
    {.name = "end of the children", .setup = new_lock, .prepare = prepare_daemon,
     .operate = end_children, .verify = verify_forked, .sturdy = true},
    {.name = "exit", .prepare = prepare_exit, .operate = leave},
    {.name = "more slots", .setup = setup_slots, .operate = reserve_slot, .verify = verify_slots,
     .grows = true, .alone = true},
    {.name = "recovery", .setup = setup_dead, .operate = recover_dead, .also = recover_dead,
     .verify = verify_recovered},
};

int main(int argc, char **argv) {
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
