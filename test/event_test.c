/*
** Events, and the event counts below them. Everything runs a second time without futex_waitv.
*/
#include <sys/mman.h>

#include "world.h"

static uint64_t event_id, done_id, queue_id;
static struct mpl_event *event;

static void make_event(void) {
  world_make();
  CHECK(mpl_event_new(&event_id) == MPL_OK && mpl_event_new(&done_id) == MPL_OK);
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK);
  event = world_event(event_id);
}

static void states(void) {
  make_event();
  CHECK(!mpl_event_is_set(event) && world_await(event, 0) == MPL_TIMEOUT);
  CHECK(world_await(event, mpl_os_now() + WORLD_MS) == MPL_TIMEOUT);
  mpl_event_set(event);
  mpl_event_set(event);
  CHECK(mpl_event_is_set(event) && world_await(event, 0) == MPL_OK);
  mpl_event_clear(event);
  mpl_event_clear(event);
  CHECK(!mpl_event_is_set(event) && world_await(event, 0) == MPL_TIMEOUT);
  WORLD_WHOLE();
}

/* A deadline is kept, and not by waking too early. */
static void deadline(void) {
  make_event();
  for (int i = 1; i < 20; i++) {
    int64_t end = mpl_os_now() + i * WORLD_MS;
    CHECK(world_await(event, end) == MPL_TIMEOUT && mpl_os_now() >= end);
  }
}

static void wait_for_it(void *arg) {
  (void)arg;
  CHECK(world_await(event, world_deadline()) == MPL_OK);
}

#define WAITERS 8

static void wakes_all(void) {
  struct mpl_child *child[WAITERS];
  make_event();
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < WAITERS; i++) child[i] = world_start(wait_for_it, NULL);
    for (int i = 0; i < WAITERS; i++) world_until_asleep(child[i]->ident, &event->changed);
    mpl_event_set(event);
    for (int i = 0; i < WAITERS; i++) CHECK(world_join(child[i]) == 0);
    mpl_event_clear(event);
  }
  WORLD_WHOLE();
}

/* Waiters that are killed in their sleep do not keep the others from waking up. */
static void killed_waiters(void) {
  struct mpl_child *child[WAITERS];
  make_event();
  for (int i = 0; i < WAITERS; i++) child[i] = world_start(wait_for_it, NULL);
  for (int i = 0; i < WAITERS; i++) world_until_asleep(child[i]->ident, &event->changed);
  for (int i = 0; i < WAITERS; i += 2) CHECK(kill(child[i]->pid, SIGKILL) == 0);
  for (int i = 0; i < WAITERS; i += 2) CHECK(world_join(child[i]) == -SIGKILL);
  mpl_event_set(event);
  for (int i = 1; i < WAITERS; i += 2) CHECK(world_join(child[i]) == 0);
  WORLD_WHOLE();
}

static void set_and_die(void *arg) {
  (void)arg;
  mpl_event_set(event);
  kill(getpid(), SIGKILL);
}

static void set_by_the_dying(void) {
  make_event();
  for (int i = 0; i < 50; i++) {
    struct mpl_child *waiter = world_start(wait_for_it, NULL), *setter;
    if (i % 2 == 0) world_until_asleep(waiter->ident, &event->changed);
    setter = world_start(set_and_die, NULL);
    CHECK(world_join(waiter) == 0 && world_join(setter) == -SIGKILL);
    mpl_event_clear(event);
  }
}

/*
** Two processes answer each other: neither misses a signal. A miss would cost a second until the
** sleeper looks again, and all of them more time than there is.
*/

#define TURNS 20000

static void answer(void *arg) {
  (void)arg;
  for (int i = 0; i < TURNS; i++) {
    CHECK(world_await(event, world_deadline()) == MPL_OK);
    mpl_event_clear(event);
    mpl_event_set(world_event(done_id));
  }
}

static void in_turns(void) {
  make_event();
  struct mpl_child *child = world_start(answer, NULL);
  int64_t end = mpl_os_now() + TURNS / 100 * MPL_NS_PER_S;
  for (int i = 0; i < TURNS; i++) {
    mpl_event_set(event);
    CHECK(world_await(world_event(done_id), world_deadline()) == MPL_OK);
    mpl_event_clear(world_event(done_id));
    CHECK(mpl_os_now() < end);
  }
  CHECK(world_join(child) == 0);
}

/*
** The event count itself
*/

static struct mpl_ec *ec;

static void sleep_once(void *arg) {
  uint32_t seen = mpl_ec_arm(ec);
  struct mpl_os_word word = {&ec->word, seen};
  (void)arg;
  CHECK(world_put_number(world_queue(queue_id), seen) == MPL_OK);
  int64_t end = world_deadline();
  while (mpl_load32_acq(&ec->word) >> 1 == seen >> 1)
    CHECK(mpl_ec_sleep(&word, 1, end, MPL_EC_BACKSTOP) == MPL_OK);
}

/* A signal reaches who armed before it, whether it sleeps already or not; who arms after it
   sleeps on. */
static void counting(void) {
  make_event();
  ec = &event->changed;
  uint32_t first = mpl_ec_arm(ec);
  CHECK((first & 1) == 1 && mpl_ec_arm(ec) == first && mpl_ec_awaited(ec));
  mpl_ec_wake(ec, 1);
  CHECK(!mpl_ec_awaited(ec)); /* nobody was asleep: the flag is taken back */
  CHECK(mpl_load32_rlx(&ec->word) >> 1 != first >> 1);
  struct mpl_os_word word = {&ec->word, first};
  CHECK(mpl_ec_sleep(&word, 1, world_deadline(), MPL_EC_BACKSTOP) == MPL_OK); /* returns at once */
  CHECK(mpl_ec_sleep(&word, 1, mpl_os_now(), MPL_EC_BACKSTOP) == MPL_TIMEOUT);
  for (int i = 0; i < 200; i++) {
    struct mpl_child *child = world_start(sleep_once, NULL);
    world_get_number(world_queue(queue_id));
    CHECK(mpl_ec_awaited(ec));
    mpl_ec_wake(ec, 1);
    CHECK(world_join(child) == 0);
  }
}

static void all(void) {
  unit_run("deadline", deadline);
  unit_run("wakes all", wakes_all);
  unit_run("killed waiters", killed_waiters);
  unit_run("set by the dying", set_by_the_dying);
  unit_run("in turns", in_turns);
  unit_run("counting", counting);
}

int main(int argc, char **argv) {
  (void)argc;
  unit_run("states", states);
  all();
  setenv("MPL_NO_WAITV", "1", 1);
  all();
  return unit_end(argv[0]);
}
