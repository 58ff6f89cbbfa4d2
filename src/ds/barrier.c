/*
** Barriers: see barrier.h.
*/
#include "ds/barrier.h"

#include "ds/section.h"
#include "shm/message.h"
#include "shm/recover.h"
#include "shm/reflist.h"
#include "shm/super.h"

static struct mpl_barrier_round *at(mpl_off round) {
  return MPL_AT(struct mpl_barrier_round, round);
}

static enum mpl_barrier_end end_of(mpl_off round) {
  return (enum mpl_barrier_end)mpl_load64_acq(&at(round)->end);
}

/*
** Life of the object
*/

struct wanted {
  uint64_t parties;
  int64_t timeout;
  bool acts;
};

static enum mpl_status init(void *body, const void *arg) {
  struct mpl_barrier *b = body;
  const struct wanted *wanted = arg;
  mpl_store64_rlx(&b->parties, wanted->parties);
  mpl_store64_rlx(&b->timeout, (uint64_t)wanted->timeout);
  mpl_store64_rlx(&b->acts, wanted->acts);
  return mpl_robust_init(&b->guard, MPL_RANK_STRUCTURE);
}

/* In a section: takes the newest round out of the list into the hand. */
static mpl_off tx_take_round(mpl_a64 *link) {
  mpl_off round = mpl_load64_rlx(link);
  mpl_hand_put(mpl_self, round, MPL_HAND_BLOCK);
  mpl_tx_store(link, mpl_load64_rlx(&at(round)->older));
  return round;
}

static void dismantle(void *body) {
  struct mpl_barrier *b = body;
  while (mpl_load64_rlx(&b->rounds) != 0) {
    if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) return;
    mpl_off round = tx_take_round(&b->rounds);
    mpl_tx_commit();
    mpl_robust_unlock(&b->guard);
    mpl_heap_free(mpl_self, round);
  }
  mpl_off action = mpl_load64_rlx(&b->action);
  if (action == 0 || mpl_robust_lock(&b->guard) == MPL_DAMAGED) return;
  mpl_hand_put(mpl_self, action, MPL_HAND_MESSAGE);
  mpl_tx_store(&b->action, 0);
  mpl_tx_commit();
  mpl_robust_unlock(&b->guard);
  mpl_message_drop(mpl_self, action);
}

static bool walk(void *body, bool (*visit)(void *arg, mpl_off block),
                 bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_barrier *b = body;
  mpl_off current = mpl_load64_rlx(&b->current), action = mpl_load64_rlx(&b->action);
  bool listed = current == 0;
  for (mpl_off r = mpl_load64_rlx(&b->rounds); r != 0; r = mpl_load64_rlx(&at(r)->older)) {
    if (!visit(arg, r)) return false;
    if (mpl_load64_rlx(&at(r)->arrived) > mpl_load64_rlx(&b->parties)) return false;
    listed |= r == current;
  }
  return listed && (action == 0 || mpl_message_walk(action, visit, ref, arg));
}

static const struct mpl_object_ops ops = {
    .name = "Barrier", .dismantle = dismantle, .walk = walk};

void mpl_barrier_register(void) {
  mpl_object_register(MPL_TYPE_BARRIER, &ops);
}

/* A barrier for 1 to MPL_BARRIER_MOST parties, with the time-out of waits, ns, whose last party
   acts or not. `action` is a message in the caller's hand, or 0; it is the barrier's then. The
   caller holds a reference. MPL_NOMEM, MPL_NOPRIVATE, MPL_DAMAGED: nothing has happened, and the
   message is still in the hand. */
enum mpl_status mpl_barrier_new(uint64_t parties, int64_t timeout, bool acts, mpl_off action,
                                uint64_t *id) {
  struct wanted wanted = {parties, timeout, acts};
  enum mpl_status s =
      mpl_object_new(MPL_TYPE_BARRIER, sizeof(struct mpl_barrier), init, &wanted, id);
  if (s != MPL_OK || action == 0) return s;
  struct mpl_barrier *b = mpl_object_body(*id, MPL_TYPE_BARRIER);
  if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) return mpl_reflist_release(*id), MPL_DAMAGED;
  mpl_hand_take(mpl_self, action);
  mpl_tx_store(&b->action, action);
  mpl_tx_commit();
  mpl_robust_unlock(&b->guard);
  return MPL_OK;
}

/*
** Rounds, under the guard and in a section
*/

/* Nobody who lives will look at it any more. */
static bool is_deserted(const struct mpl_barrier *b, mpl_off round) {
  if (round == mpl_load64_rlx(&b->current)) return false;
  for (uint64_t i = 0; i < mpl_load64_rlx(&at(round)->arrived); i++)
    if (mpl_slot_ident_lives(mpl_load64_rlx(&at(round)->party[i]))) return false;
  return true;
}

/* Takes one round that is deserted into the hand; 0 if there is none. */
static mpl_off tx_take_deserted(struct mpl_barrier *b) {
  mpl_a64 *link = &b->rounds;
  for (mpl_off r; (r = mpl_load64_rlx(link)) != 0; link = &at(r)->older)
    if (is_deserted(b, r)) return tx_take_round(link);
  return 0;
}

/* Ends the round that is current, if there is one. */
static void tx_end(struct mpl_barrier *b, enum mpl_barrier_end end) {
  mpl_off round = mpl_load64_rlx(&b->current);
  if (round == 0) return;
  mpl_tx_publish(&at(round)->end, end);
  mpl_tx_store(&b->current, 0);
}

static void tx_break(struct mpl_barrier *b) {
  tx_end(b, MPL_BARRIER_BROKEN);
  mpl_tx_publish(&b->broken, 1);
  mpl_tx_wake(&b->changed, MPL_EC_ALL);
}

/* Ends a section: commits, unlocks, wakes. */
static void conclude(struct mpl_barrier *b) {
  mpl_section_leave(&b->guard);
}

/* A party of the round has died. Without the guard that is a hint. */
static bool has_dead(mpl_off round) {
  for (uint64_t i = 0; i < mpl_load64_acq(&at(round)->arrived); i++) {
    uint64_t ident = mpl_load64_rlx(&at(round)->party[i]);
    if (ident != 0 && !mpl_slot_ident_lives(ident)) return true;
  }
  return false;
}

/*
** Waiting
*/

static void fill_wait(struct mpl_barrier *b, mpl_off round, enum mpl_barrier_end seen,
                      struct mpl_wait *w) {
  w->kind = MPL_WAIT_OBJECT;
  w->body = b;
  w->ec = &b->changed;
  w->watch = &at(round)->end;
  w->seen = seen;
  w->mortal = seen == MPL_BARRIER_ACTING;
  w->peer = w->mortal ? mpl_load64_rlx(&at(round)->party[mpl_load64_rlx(&b->parties) - 1]) : 0;
}

/* A new round in the hand, unless there is a current one. */
static enum mpl_status new_round(struct mpl_barrier *b, mpl_off *round) {
  *round = 0;
  if (mpl_load64_acq(&b->current) != 0) return MPL_OK;
  uint64_t size = sizeof(struct mpl_barrier_round) + mpl_load64_rlx(&b->parties) * sizeof(mpl_a64);
  enum mpl_status s = mpl_recover_alloc(size, round);
  if (s != MPL_OK) return s;
  mpl_store64_rlx(&at(*round)->end, MPL_BARRIER_FILLING);
  mpl_store64_rlx(&at(*round)->arrived, 0);
  return MPL_OK;
}

/* Under the guard: the caller comes to the current round, or to `fresh`, which is in hand. */
static void tx_arrive(struct mpl_barrier *b, mpl_off fresh, mpl_off *round, uint64_t *index) {
  *round = mpl_load64_rlx(&b->current);
  if (*round == 0) {
    *round = fresh;
    mpl_store64_rlx(&at(fresh)->older, mpl_load64_rlx(&b->rounds));
    mpl_hand_take(mpl_self, fresh);
    mpl_tx_store(&b->rounds, fresh);
    mpl_tx_store(&b->current, fresh);
  }
  uint64_t n = mpl_load64_rlx(&at(*round)->arrived);
  mpl_store64_rlx(&at(*round)->party[n], mpl_slot_ident(mpl_self)); /* beyond the count */
  mpl_tx_store(&at(*round)->arrived, n + 1);
  *index = n + 1;
  if (*index < mpl_load64_rlx(&b->parties)) return;
  if (mpl_load64_rlx(&b->acts))
    mpl_tx_store(&at(*round)->end, MPL_BARRIER_ACTING);
  else
    tx_end(b, MPL_BARRIER_PASSED);
  mpl_tx_wake(&b->changed, MPL_EC_ALL);
}

/* Under the guard: MPL_OK if the caller may come to the current round or a new one; else as
   mpl_barrier_enter. */
static enum mpl_status tx_admit(struct mpl_barrier *b, struct mpl_wait *w) {
  mpl_off current = mpl_load64_rlx(&b->current);
  if (current != 0 && has_dead(current)) tx_break(b);
  if (current != 0 && mpl_load64_rlx(&b->current) == 0) return mpl_tx_commit(), MPL_CLOSED;
  if (mpl_barrier_is_broken(b)) return MPL_CLOSED;
  if (current == 0 || end_of(current) == MPL_BARRIER_FILLING) return MPL_OK;
  fill_wait(b, current, MPL_BARRIER_ACTING, w);
  return MPL_BLOCK;
}

/*
** Comes to a round as its party `index`, from 1. MPL_OK: it is to wait with mpl_barrier_try; or,
** if it is the last of the parties and these act, to do that and then to call mpl_barrier_pass.
** MPL_CLOSED: the barrier is broken. MPL_BLOCK: the round before is acting, w is filled.
** MPL_NOMEM, MPL_DAMAGED.
*/
enum mpl_status mpl_barrier_enter(struct mpl_barrier *b, mpl_off *round, uint64_t *index,
                                  struct mpl_wait *w) {
  for (;;) {
    mpl_off fresh;
    enum mpl_status s = new_round(b, &fresh);
    if (s != MPL_OK) return s;
    if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) s = MPL_DAMAGED;
    if (s == MPL_OK) s = tx_admit(b, w);
    bool ready = s == MPL_OK && (fresh != 0 || mpl_load64_rlx(&b->current) != 0);
    bool used = ready && mpl_load64_rlx(&b->current) == 0;
    if (ready) {
      /* From now on, so that if it dies the others are woken to see that. */
      mpl_store64_rlx(&mpl_self->waiting, mpl_arena_off(&b->changed));
      tx_arrive(b, fresh, round, index);
    }
    if (s != MPL_DAMAGED) conclude(b);
    if (fresh != 0 && !used) mpl_heap_free(mpl_self, fresh);
    if (ready || s != MPL_OK) return s;
  }
}

/* Breaks the barrier if a party of the round has died while it was current. */
static enum mpl_status break_for_dead(struct mpl_barrier *b, mpl_off round) {
  if (!has_dead(round)) return MPL_OK;
  if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) return MPL_DAMAGED;
  if (mpl_load64_rlx(&b->current) == round && has_dead(round)) tx_break(b);
  conclude(b);
  return MPL_OK;
}

/* MPL_OK: all have come; MPL_CLOSED: broken. Either way the caller has left. MPL_BLOCK with w
   filled; MPL_DAMAGED. */
enum mpl_status mpl_barrier_try(struct mpl_barrier *b, mpl_off round, uint64_t index,
                                struct mpl_wait *w) {
  enum mpl_barrier_end end = end_of(round);
  if (end < MPL_BARRIER_PASSED) {
    enum mpl_status s = break_for_dead(b, round);
    if (s != MPL_OK) return s;
    end = end_of(round);
  }
  if (end >= MPL_BARRIER_PASSED) return mpl_barrier_leave(b, round, index);
  fill_wait(b, round, end, w);
  return MPL_BLOCK;
}

/* The last party has acted: all may go, the caller with mpl_barrier_leave. */
enum mpl_status mpl_barrier_pass(struct mpl_barrier *b, mpl_off round) {
  if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) return MPL_DAMAGED;
  if (mpl_load64_rlx(&b->current) == round) {
    tx_end(b, MPL_BARRIER_PASSED);
    mpl_tx_wake(&b->changed, MPL_EC_ALL);
  }
  conclude(b);
  return MPL_OK;
}

/* Frees the rounds that nobody needs any more: the caller's own, and those that the dead have
   left. */
static void free_deserted(struct mpl_barrier *b) {
  mpl_off round;
  do {
    if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) return;
    round = tx_take_deserted(b);
    conclude(b);
    if (round != 0) mpl_heap_free(mpl_self, round);
  } while (round != 0);
}

/* Whether the round has all its parties, but has not ended; the guard is held. */
static bool is_acting(mpl_off round) {
  return round != 0 && end_of(round) == MPL_BARRIER_ACTING;
}

static enum mpl_status leave(struct mpl_barrier *b, mpl_off round, uint64_t index, bool patient) {
  if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) return MPL_DAMAGED;
  mpl_off current = mpl_load64_rlx(&b->current);
  bool goes_on = is_acting(current) && index != mpl_load64_rlx(&b->parties);
  if (patient && goes_on && round == current) return mpl_robust_unlock(&b->guard), MPL_BLOCK;
  if (round == 0 && goes_on)
    mpl_tx_publish(&b->broken, 1);
  else if (round == 0 || (round == current && !goes_on))
    tx_break(b);
  if (round != 0) mpl_tx_store(&at(round)->party[index - 1], 0);
  mpl_tx_commit();
  bool passed = round != 0 && end_of(round) == MPL_BARRIER_PASSED;
  conclude(b);
  free_deserted(b);
  mpl_store64_rlx(&mpl_self->waiting, 0);
  return passed ? MPL_OK : MPL_CLOSED;
}

/*
** The party waits no more, or has failed to act. If its round is still being filled, or it was the
** one to act, the barrier is broken by that. Round 0: it has not come to one, which breaks what
** comes after the round that is acting. MPL_OK: all had come; MPL_CLOSED: broken; MPL_DAMAGED.
*/
enum mpl_status mpl_barrier_leave(struct mpl_barrier *b, mpl_off round, uint64_t index) {
  return leave(b, round, index, false);
}

/* The party's time is up: the same; but MPL_BLOCK, and it has not left, if all have come and the
   last of them is acting. */
enum mpl_status mpl_barrier_late(struct mpl_barrier *b, mpl_off round, uint64_t index) {
  return leave(b, round, index, true);
}

/*
** For everybody
*/

/* Breaks the barrier. */
enum mpl_status mpl_barrier_abort(struct mpl_barrier *b) {
  if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) return MPL_DAMAGED;
  tx_break(b);
  conclude(b);
  return MPL_OK;
}

/* Makes it whole again; those who wait find it broken. */
enum mpl_status mpl_barrier_reset(struct mpl_barrier *b) {
  if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) return MPL_DAMAGED;
  tx_end(b, MPL_BARRIER_BROKEN);
  mpl_tx_publish(&b->broken, 0);
  mpl_tx_wake(&b->changed, MPL_EC_ALL);
  conclude(b);
  return MPL_OK;
}

/* How many wait for others, for the moment. */
uint64_t mpl_barrier_waiting(struct mpl_barrier *b) {
  if (mpl_robust_lock(&b->guard) == MPL_DAMAGED) return 0;
  mpl_off round = mpl_load64_rlx(&b->current);
  bool filling = round != 0 && end_of(round) == MPL_BARRIER_FILLING;
  uint64_t n = filling ? mpl_load64_rlx(&at(round)->arrived) : 0;
  mpl_robust_unlock(&b->guard);
  return n;
}
