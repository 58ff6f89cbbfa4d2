/*
** The crash sweep of Barrier: see crash.h.
*/
/* Level 2 for one in so many first deaths; CFLAGS=-DCRASH_SAMPLED=1 sweeps all of it. */
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 6
#endif

#include "sync_sweep.h"

static struct {
  struct sync_scene it;
  struct mpl_barrier *barrier;
  mpl_off mine, theirs; /* rounds: the survivor's, the victim's */
  uint64_t index;
} s;

static void make_barrier(uint64_t parties, bool acts) {
  mpl_off action = acts ? sync_message() : 0;
  CHECK(mpl_barrier_new(parties, MPL_NEVER, acts, action, &s.it.id) == MPL_OK);
  s.barrier = sync_barrier(s.it.id);
  sync_arm(&s.barrier->changed);
}

static void prepare_action(void) {
  s.it.message = sync_message();
}

static void new_barrier(void) {
  CHECK(mpl_barrier_new(2, MPL_NEVER, true, s.it.message, &s.it.id) == MPL_OK);
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

/* The other one may be gone already, which breaks the barrier. */
static void come_beside(void) {
  enum mpl_status came = come(&s.theirs);
  CHECK(came == MPL_OK || came == MPL_CLOSED);
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
  sync_release();
}

/* What the survivor, who is the first party, finds; it has left then. */
static enum mpl_status find(void) {
  enum mpl_status found = look(s.mine, 1);
  CHECK(found == MPL_BLOCK || sync_woken(&s.barrier->changed));
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
  sync_arm(&s.barrier->changed);
}

/* Lets all go, and goes. */
static void pass_and_go(void) {
  CHECK(mpl_barrier_pass(s.barrier, s.theirs) == MPL_OK);
  CHECK(look(s.theirs, 2) == MPL_OK);
}

static void verify_passed(bool finished) {
  enum mpl_status found = look(s.mine, 1);
  CHECK(found == MPL_OK ? !mpl_barrier_is_broken(s.barrier) : found == MPL_CLOSED && !finished);
  CHECK(sync_woken(&s.barrier->changed));
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
  sync_have_died(come_as_victim);
  sync_arm(&s.barrier->changed);
}

static void find_broken(void) {
  CHECK(come(&s.theirs) == MPL_CLOSED);
}

static void setup_rounds_left(void) {
  make_barrier(2, true);
  sync_have_died(come_as_victim);
  reset();
  come_as_victim();
  sync_send_away();
}

static const struct crash_op ops[] = {
    {.name = "new barrier", .prepare = prepare_action, .operate = new_barrier},
    {.name = "come first", .setup = setup_three, .operate = come_as_victim,
     .verify = verify_first},
    {.name = "come beside another", .setup = setup_three, .operate = come_as_victim,
     .also = come_beside, .verify = verify_first},
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
    {.name = "release of a barrier", .setup = setup_rounds_left, .prepare = sync_take_sent,
     .operate = sync_drop, .verify = sync_verify_dropped},
};

int main(int argc, char **argv) {
  return sync_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
