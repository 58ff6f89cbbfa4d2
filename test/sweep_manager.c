/*
** The crash sweep of managers: see crash.h.
*/
/* Of level 2 one in so many; CFLAGS=-DCRASH_SAMPLED=1 sweeps all of it. */
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 6
#endif

#include "ds/manager.h"
#include "sync_sweep.h"

#define FULL 24 /* as many as one message of a manager has references */

static struct {
  struct sync_scene it;
  struct mpl_manager *manager;
  uint64_t kept;       /* of which the manager alone has a reference */
  uint64_t mine, part; /* the victim's, to be kept */
} s;

static uint64_t new_lock(void) {
  uint64_t id;
  CHECK(mpl_lock_new(&id) == MPL_OK);
  return id;
}

/* Makes a lock for the manager, which then has the only reference. */
static uint64_t keep_one(void) {
  uint64_t id = new_lock();
  CHECK(mpl_manager_keep(s.manager, id, 0) == MPL_OK);
  mpl_reflist_release(id);
  return id;
}

static void setup_empty(void) {
  CHECK(mpl_manager_new(&s.it.id) == MPL_OK);
  s.manager = mpl_object_body(s.it.id, MPL_TYPE_MANAGER);
  CHECK(s.manager != NULL);
}

static void setup_one(void) {
  setup_empty();
  s.kept = keep_one();
}

static void setup_full(void) {
  setup_empty();
  for (int i = 0; i < FULL; i++) s.kept = keep_one();
}

static void setup_two(void) {
  setup_one();
  s.kept = keep_one();
  sync_arm(&mpl_life_of(s.manager)->ended);
}

static void new_manager(void) {
  setup_empty();
}

/*
** Keeping
*/

static void prepare_lock(void) {
  s.mine = new_lock();
}

static void prepare_lock_and_part(void) {
  prepare_lock();
  CHECK(mpl_rlock_new(&s.part) == MPL_OK);
}

static void keep(void) {
  CHECK(mpl_manager_keep(s.manager, s.mine, s.part) == MPL_OK);
}

/* It keeps what it kept before, and perhaps one more; it can go on and be shut down. */
static void verify_kept(uint64_t before, bool finished) {
  uint64_t count = mpl_manager_count(s.manager);
  CHECK(count == before + 1 || (count == before && !finished));
  CHECK(before == 0 || mpl_object_type_of(s.kept) == MPL_TYPE_LOCK);
  CHECK(!mpl_life_is_over(s.manager));
  keep_one();
  CHECK(mpl_manager_count(s.manager) == count + 1);
  CHECK(mpl_manager_shutdown(s.manager) == MPL_OK && mpl_manager_count(s.manager) == 0);
  sync_release();
}

static void verify_first(bool finished) {
  verify_kept(0, finished);
}

static void verify_second(bool finished) {
  verify_kept(1, finished);
}

static void verify_beyond(bool finished) {
  verify_kept(FULL, finished);
}

/*
** The end
*/

static void shut_down(void) {
  CHECK(mpl_manager_shutdown(s.manager) == MPL_OK);
}

/* The end is there or not; who sleeps is woken if it is; what was not dropped is by the next. */
static void verify_ended(bool finished) {
  bool over = mpl_life_is_over(s.manager);
  CHECK(over || !finished);
  CHECK(!over || sync_woken(&mpl_life_of(s.manager)->ended));
  CHECK(over || mpl_manager_count(s.manager) == 2);
  CHECK(!finished || mpl_manager_count(s.manager) == 0);
  shut_down();
  CHECK(mpl_manager_count(s.manager) == 0);
  CHECK(mpl_object_type_of(s.kept) == MPL_TYPE_NONE);
  sync_release();
}

static void keep_beside(void) {
  uint64_t id = new_lock();
  enum mpl_status status = mpl_manager_keep(s.manager, id, 0);
  CHECK(status == MPL_OK || status == MPL_ENDED);
}

/* Nothing comes after the end. */
static void verify_ended_beside(bool finished) {
  CHECK(mpl_life_is_over(s.manager) || !finished);
  CHECK(!finished || mpl_manager_count(s.manager) == 0);
  shut_down();
  CHECK(mpl_manager_count(s.manager) == 0);
  sync_release();
}

static void setup_sent(void) {
  setup_one();
  sync_send_away();
}

static void verify_dropped(bool finished) {
  sync_verify_dropped(finished);
  CHECK(mpl_object_type_of(s.kept) == MPL_TYPE_NONE);
}

static const struct crash_op ops[] = {
    {.name = "new manager", .operate = new_manager},
    {.name = "keep the first", .setup = setup_empty, .prepare = prepare_lock, .operate = keep,
     .verify = verify_first},
    {.name = "keep another with a part", .setup = setup_one, .prepare = prepare_lock_and_part,
     .operate = keep, .verify = verify_second},
    {.name = "keep more than a message holds", .setup = setup_full, .prepare = prepare_lock,
     .operate = keep, .verify = verify_beyond},
    {.name = "shut down", .setup = setup_two, .operate = shut_down, .verify = verify_ended},
    {.name = "shut down beside keeping", .setup = setup_two, .operate = shut_down,
     .also = keep_beside, .verify = verify_ended_beside},
    {.name = "release of a manager", .setup = setup_sent, .prepare = sync_take_sent,
     .operate = sync_drop, .verify = verify_dropped},
};

int main(int argc, char **argv) {
  mpl_manager_register();
  return sync_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
