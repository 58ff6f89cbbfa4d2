/*
** Managers and lifetimes: what is kept and dropped, sleepers that the end wakes, deaths. What
** sleeps runs a second time without futex_waitv.
*/
#include "ds/manager.h"

#include "ds/rlock.h"
#include "world.h"

static uint64_t manager_id, event_id;
static struct mpl_manager *manager;
static struct mpl_event *event;

static struct mpl_manager *body_of(uint64_t id) {
  struct mpl_manager *m = mpl_object_body(id, MPL_TYPE_MANAGER);
  CHECK(m != NULL);
  return m;
}

static void make(void) {
  mpl_manager_register();
  mpl_rlock_register();
  world_make();
  CHECK(mpl_manager_new(&manager_id) == MPL_OK);
  manager = body_of(manager_id);
  CHECK(mpl_event_new(&event_id) == MPL_OK);
  event = world_event(event_id);
  CHECK(mpl_manager_keep(manager, event_id, 0) == MPL_OK);
}

static enum mpl_object_type type_of(uint64_t id) {
  return mpl_object_type_of(id);
}

/* What nobody else refers to lives until the shutdown, and not longer; its part belongs to it. */
static void keeps(void) {
  uint64_t lock, part;
  make();
  CHECK(mpl_lock_new(&lock) == MPL_OK && mpl_rlock_new(&part) == MPL_OK);
  CHECK(mpl_manager_keep(manager, lock, part) == MPL_OK && mpl_manager_count(manager) == 2);
  mpl_reflist_release(lock);
  CHECK(type_of(lock) == MPL_TYPE_LOCK && mpl_life_of(world_lock(lock)) != NULL);
  const void *part_body = mpl_object_body(part, MPL_TYPE_RLOCK);
  CHECK(!mpl_life_is_over(part_body) && !mpl_life_is_over(manager));
  WORLD_WHOLE();
  CHECK(mpl_manager_shutdown(manager) == MPL_OK && mpl_manager_count(manager) == 0);
  CHECK(type_of(lock) == MPL_TYPE_NONE && type_of(event_id) == MPL_TYPE_EVENT);
  CHECK(mpl_life_is_over(manager) && mpl_life_is_over(event) && mpl_life_is_over(part_body));
  CHECK(mpl_manager_shutdown(manager) == MPL_OK);
  WORLD_WHOLE();
}

static void keeps_no_more_after_its_end(void) {
  uint64_t lock;
  make();
  CHECK(mpl_manager_shutdown(manager) == MPL_OK && mpl_lock_new(&lock) == MPL_OK);
  CHECK(mpl_manager_keep(manager, lock, 0) == MPL_ENDED && mpl_manager_count(manager) == 0);
  CHECK(mpl_life_of(world_lock(lock)) == NULL);
  WORLD_WHOLE();
}

#define MANY 1000

/* However many, and all memory comes back. */
static void keeps_many(void) {
  make();
  struct world_sum before = {0};
  for (int round = 0; round < 3; round++) {
    uint64_t id, lock;
    CHECK(mpl_manager_new(&id) == MPL_OK);
    for (int i = 0; i < MANY; i++) {
      CHECK(mpl_lock_new(&lock) == MPL_OK && mpl_manager_keep(body_of(id), lock, 0) == MPL_OK);
      mpl_reflist_release(lock);
    }
    CHECK(mpl_manager_count(body_of(id)) == MANY);
    WORLD_WHOLE();
    if (round < 2) CHECK(mpl_manager_shutdown(body_of(id)) == MPL_OK);
    mpl_reflist_release(id); /* the last time it goes without a shutdown */
    if (round == 0) before = world_sum(); /* the tables of objects have grown */
    WORLD_SAME(before);
  }
  WORLD_WHOLE();
}

/* A manager that goes without a shutdown ends nothing. */
static void released(void) {
  make();
  mpl_reflist_release(manager_id);
  CHECK(type_of(manager_id) == MPL_TYPE_NONE && !mpl_life_is_over(event));
  CHECK(world_await(event, 0) == MPL_TIMEOUT);
  WORLD_WHOLE();
  mpl_reflist_release(event_id);
  CHECK(mpl_load64_rlx(&mpl_super()->objects.live) == 0);
  WORLD_WHOLE();
}

#define PROCESSES 4
#define EACH 100

static void keep_some(void *arg) {
  (void)arg;
  for (int i = 0; i < EACH; i++) {
    uint64_t lock;
    CHECK(mpl_lock_new(&lock) == MPL_OK && mpl_manager_keep(manager, lock, 0) == MPL_OK);
    mpl_reflist_release(lock);
  }
}

static void keeps_of_many_processes(void) {
  struct mpl_child *child[PROCESSES];
  make();
  for (int i = 0; i < PROCESSES; i++) child[i] = world_start(keep_some, NULL);
  for (int i = 0; i < PROCESSES; i++) CHECK(world_join(child[i]) == 0);
  CHECK(mpl_manager_count(manager) == PROCESSES * EACH + 1);
  WORLD_WHOLE();
}

static void shut_down(void *arg) {
  (void)arg;
  CHECK(mpl_manager_shutdown(manager) == MPL_OK);
}

/* Shutdowns at once. */
static void shutdowns_of_many_processes(void) {
  struct mpl_child *child[PROCESSES];
  make();
  keep_some(NULL);
  for (int i = 0; i < PROCESSES; i++) child[i] = world_start(shut_down, NULL);
  for (int i = 0; i < PROCESSES; i++) CHECK(world_join(child[i]) == 0);
  CHECK(mpl_manager_count(manager) == 0 && mpl_life_is_over(event));
  WORLD_WHOLE();
}

/*
** Sleepers
*/

static void wait_in_vain(void *arg) {
  CHECK(world_await(event, arg == NULL ? MPL_NEVER : world_deadline()) == MPL_ENDED);
}

static void wakes(void) {
  struct mpl_child *child[PROCESSES];
  make();
  for (int i = 0; i < PROCESSES; i++)
    child[i] = world_start(wait_in_vain, i % 2 == 0 ? NULL : event);
  for (int i = 0; i < PROCESSES; i++) world_until_asleep(child[i]->ident, &event->changed);
  CHECK(mpl_manager_shutdown(manager) == MPL_OK);
  for (int i = 0; i < PROCESSES; i++) CHECK(world_join(child[i]) == 0);
  WORLD_WHOLE();
}

static void end_and_die(void *arg) {
  (void)arg;
  CHECK(mpl_life_end(mpl_life_of(manager)) == MPL_OK);
  kill(getpid(), SIGKILL);
}

/* The end counts though its maker did not come to dropping anything; the next shutdown does. */
static void ended_by_the_dying(void) {
  make();
  struct mpl_child *sleeper = world_start(wait_in_vain, NULL);
  world_until_asleep(sleeper->ident, &event->changed);
  CHECK(world_join(world_start(end_and_die, NULL)) == -SIGKILL);
  CHECK(world_join(sleeper) == 0);
  CHECK(mpl_life_is_over(event) && mpl_manager_count(manager) == 1);
  CHECK(mpl_manager_shutdown(manager) == MPL_OK && mpl_manager_count(manager) == 0);
  WORLD_WHOLE();
}

/* What is set before the end is seen still; what is not any more. */
static void set_before(void) {
  make();
  mpl_event_set(event);
  struct mpl_wait w = MPL_WAIT_INIT;
  CHECK(mpl_event_try(event, &w) == MPL_OK);
  mpl_event_clear(event);
  CHECK(mpl_event_try(event, &w) == MPL_BLOCK && mpl_wait_step(&w, world_deadline()) == MPL_OK);
  CHECK(mpl_manager_shutdown(manager) == MPL_OK);
  CHECK(mpl_wait_step(&w, world_deadline()) == MPL_ENDED);
  mpl_wait_done(&w);
}

static void sleepers(void) {
  unit_run("wakes", wakes);
  unit_run("ended by the dying", ended_by_the_dying);
  unit_run("set before", set_before);
}

int main(int argc, char **argv) {
  (void)argc;
  unit_run("keeps", keeps);
  unit_run("keeps no more after its end", keeps_no_more_after_its_end);
  unit_run("keeps many", keeps_many);
  unit_run("released", released);
  unit_run("keeps of many processes", keeps_of_many_processes);
  unit_run("shutdowns of many processes", shutdowns_of_many_processes);
  sleepers();
  setenv("MPL_NO_WAITV", "1", 1);
  sleepers();
  return unit_end(argv[0]);
}
