/*
** What the sweeps of locks, conditions and barriers have in common: event counts that are awaited,
** processes that have died before, and an object of which the victim has the only reference.
*/
#ifndef MPL_TEST_SYNC_SWEEP_H
#define MPL_TEST_SYNC_SWEEP_H

#include "crash.h"
#include "sync.h"

/* Begins the scene of a program. */
struct sync_scene {
  uint64_t id;
  uint64_t letters; /* a queue with a message that has the only reference to the object */
  mpl_off message;  /* the victim's then */
};

static struct sync_scene *sync_scene;

/* Sweeps. `scene`, of so many bytes, begins with a sync_scene. */
static inline int sync_main(const struct crash_op *ops, size_t nops, void *scene, size_t size,
                            int argc, char **argv) {
  sync_scene = scene;
  sync_register();
  return crash_main(ops, nops, scene, size, argc, argv);
}

/* Somebody may be asleep on the event count from now on, whoever says so ... */
static inline void sync_arm(struct mpl_ec *ec) {
  mpl_ec_arm(ec);
}

/* ... and would have been woken since: who wakes and finds nobody takes the flag back. */
static inline bool sync_woken(struct mpl_ec *ec) {
  return (mpl_load32_acq(&ec->word) & MPL_EC_ASLEEP) == 0;
}

/* Another process that has done something and was killed; recovered, unlike what it has left. */
static inline void sync_do_and_die(void *arg) {
  void (*f)(void) = *(void (**)(void))arg;
  f();
  kill(getpid(), SIGKILL);
}

static inline void sync_have_died(void (*f)(void)) {
  struct mpl_child *child = world_start(sync_do_and_die, &f);
  CHECK(world_join(child) == -SIGKILL);
}

static inline void sync_release(void) {
  mpl_reflist_release(sync_scene->id);
  mpl_object_bury();
}

/*
** The steps of an operation in which the object is the victim's alone, who lets it go: the end of
** setup; prepare, operate, verify.
*/

static inline void sync_send_away(void) {
  struct sync_scene *s = sync_scene;
  mpl_off message;
  CHECK(mpl_queue_new(0, &s->letters) == MPL_OK && mpl_message_new(0, 1, &message) == MPL_OK);
  CHECK(mpl_message_add_ref(message, s->id) == MPL_OK);
  CHECK(world_put_message(world_queue(s->letters), message) == MPL_OK);
  mpl_reflist_release(s->id);
}

static inline void sync_take_sent(void) {
  static struct world_batch got;
  CHECK(world_get(world_queue(sync_scene->letters), 1, &got, 0) == MPL_OK);
  sync_scene->message = got.batch.item[0].message;
}

static inline void sync_drop(void) {
  mpl_message_drop(mpl_self, sync_scene->message);
  mpl_object_bury();
}

static inline void sync_verify_dropped(bool finished) {
  (void)finished;
  CHECK(mpl_object_type_of(sync_scene->id) == MPL_TYPE_NONE);
  mpl_reflist_release(sync_scene->letters);
}

#endif
