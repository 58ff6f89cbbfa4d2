/*
** Condition variables: see condition.h.
*/
#include "ds/condition.h"

#include "ds/section.h"
#include "shm/message.h"
#include "shm/recover.h"
#include "shm/reflist.h"
#include "shm/super.h"

/* Waiters that one section takes out or notifies: bounded by the journal. */
#define WAITERS_PER_SECTION 8

static struct mpl_condition_waiter *at(mpl_off waiter) {
  return MPL_AT(struct mpl_condition_waiter, waiter);
}

/*
** Life of the object
*/

static enum mpl_status init(void *body, const void *arg) {
  struct mpl_condition *c = body;
  (void)arg;
  return mpl_robust_init(&c->guard, MPL_RANK_STRUCTURE);
}

/* In a section under the guard: takes a waiter out of the list into the hand. */
static void tx_take_out(struct mpl_condition *c, mpl_off waiter) {
  mpl_off next = mpl_load64_rlx(&at(waiter)->next);
  mpl_off previous = mpl_load64_rlx(&at(waiter)->previous);
  mpl_tx_store(previous == 0 ? &c->first : &at(previous)->next, next);
  mpl_tx_store(next == 0 ? &c->last : &at(next)->previous, previous);
  mpl_hand_put(mpl_self, waiter, MPL_HAND_BLOCK);
}

/* Moves the head of the list, or the message, into the hand; 0 if nothing is left. */
static mpl_off take_apart(struct mpl_condition *c) {
  if (mpl_robust_lock(&c->guard) == MPL_DAMAGED) return 0;
  mpl_off waiter = mpl_load64_rlx(&c->first), message = mpl_load64_rlx(&c->lock_message);
  if (waiter != 0) {
    tx_take_out(c, waiter);
  } else if (message != 0) {
    mpl_hand_put(mpl_self, message, MPL_HAND_MESSAGE);
    mpl_tx_store(&c->lock_message, 0);
  }
  mpl_tx_commit();
  mpl_robust_unlock(&c->guard);
  if (waiter != 0)
    mpl_heap_free(mpl_self, waiter);
  else if (message != 0)
    mpl_message_drop(mpl_self, message);
  return waiter != 0 ? waiter : message;
}

static void dismantle(void *body) {
  while (take_apart(body) != 0) {
  }
}

static bool walk(void *body, bool (*visit)(void *arg, mpl_off block),
                 bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_condition *c = body;
  mpl_off message = mpl_load64_rlx(&c->lock_message), previous = 0;
  for (mpl_off w = mpl_load64_rlx(&c->first); w != 0; w = mpl_load64_rlx(&at(w)->next)) {
    if (!visit(arg, w) || mpl_load64_rlx(&at(w)->previous) != previous) return false;
    previous = w;
  }
  return mpl_load64_rlx(&c->last) == previous &&
         (message == 0 || mpl_message_walk(message, visit, ref, arg));
}

static const struct mpl_object_ops ops = {
    .name = "Condition", .dismantle = dismantle, .walk = walk};

void mpl_condition_register(void) {
  mpl_object_register(MPL_TYPE_CONDITION, &ops);
}

/* The message with the reference becomes the condition's, which nobody else knows yet. */
static enum mpl_status attach(struct mpl_condition *c, uint64_t lock_id) {
  mpl_off message;
  enum mpl_status s = mpl_message_new(0, 1, &message);
  if (s != MPL_OK) return s;
  s = mpl_message_add_ref(message, lock_id);
  if (s == MPL_OK && mpl_robust_lock(&c->guard) == MPL_DAMAGED) s = MPL_DAMAGED;
  if (s != MPL_OK) return mpl_message_drop(mpl_self, message), s;
  mpl_hand_take(mpl_self, message);
  mpl_tx_store(&c->lock_message, message);
  mpl_tx_commit();
  mpl_robust_unlock(&c->guard);
  return MPL_OK;
}

/* A condition with a Lock or an RLock to which the caller holds a reference; it then holds one to
   the condition, too. MPL_NOMEM, MPL_NOPRIVATE, MPL_DAMAGED. */
enum mpl_status mpl_condition_new(uint64_t lock_id, uint64_t *id) {
  enum mpl_status s =
      mpl_object_new(MPL_TYPE_CONDITION, sizeof(struct mpl_condition), init, NULL, id);
  if (s != MPL_OK) return s;
  s = attach(mpl_object_body(*id, MPL_TYPE_CONDITION), lock_id);
  if (s != MPL_OK) mpl_reflist_release(*id);
  return s;
}

/* Id of its lock, which lives as long as the condition. */
uint64_t mpl_condition_lock(const struct mpl_condition *c) {
  return mpl_load64_rlx(&mpl_message_at(mpl_load64_rlx(&c->lock_message))->ref[0]);
}

/*
** The list; the guard is held, in a section
*/

/* Gives n times the notification made when `last` was the last who had come, to the first of those
   who live and have none, as far as there are so many; returns how many times. */
static uint64_t tx_give(struct mpl_condition *c, uint64_t n, uint64_t last) {
  uint64_t given = 0;
  for (mpl_off w = mpl_load64_rlx(&c->first);
       w != 0 && given < n && mpl_load64_rlx(&at(w)->number) <= last;
       w = mpl_load64_rlx(&at(w)->next)) {
    if (mpl_load64_rlx(&at(w)->notified) != 0) continue;
    if (!mpl_slot_ident_lives(mpl_load64_rlx(&at(w)->ident))) continue;
    mpl_tx_store(&at(w)->notified, last);
    given++;
  }
  return given;
}

/* Takes some of the dead out of the list, into freed, and passes on what notifications they had. */
static int tx_mend(struct mpl_condition *c, mpl_off freed[WAITERS_PER_SECTION]) {
  int n = 0;
  uint64_t given = 0;
  for (mpl_off w = mpl_load64_rlx(&c->first), next; w != 0 && n < WAITERS_PER_SECTION; w = next) {
    next = mpl_load64_rlx(&at(w)->next);
    if (mpl_slot_ident_lives(mpl_load64_rlx(&at(w)->ident))) continue;
    tx_take_out(c, w);
    freed[n++] = w;
  }
  for (int i = 0; i < n; i++) given += tx_give(c, 1, mpl_load64_rlx(&at(freed[i])->notified));
  if (given > 0) mpl_tx_wake(&c->notified, MPL_EC_ALL);
  return n;
}

/* Takes the dead out, if somebody has died since the last time. */
static void mend(struct mpl_condition *c) {
  uint64_t deaths = mpl_load64_acq(&mpl_super()->deaths);
  if (mpl_load64_rlx(&c->seen_deaths) == deaths) return;
  mpl_off freed[WAITERS_PER_SECTION];
  int n;
  do {
    if (mpl_robust_lock(&c->guard) == MPL_DAMAGED) return;
    n = tx_mend(c, freed);
    if (n < WAITERS_PER_SECTION) mpl_tx_store(&c->seen_deaths, deaths);
    mpl_section_leave(&c->guard);
    for (int i = 0; i < n; i++) mpl_heap_free(mpl_self, freed[i]);
  } while (n == WAITERS_PER_SECTION);
}

/*
** Waiting and notifying
*/

/* Enters the caller, who holds the lock, into the list. MPL_OK and the waiter, MPL_NOMEM,
   MPL_DAMAGED. */
enum mpl_status mpl_condition_enter(struct mpl_condition *c, mpl_off *waiter) {
  enum mpl_status s = mpl_recover_alloc(sizeof(struct mpl_condition_waiter), waiter);
  if (s != MPL_OK) return s;
  mend(c);
  /* From now on, so that if it dies with a notification the others are woken to pass that on. */
  mpl_store64_rlx(&mpl_self->waiting, mpl_arena_off(&c->notified));
  if (mpl_robust_lock(&c->guard) == MPL_DAMAGED)
    return mpl_heap_free(mpl_self, *waiter), MPL_DAMAGED;
  mpl_off last = mpl_load64_rlx(&c->last);
  uint64_t number = mpl_load64_rlx(&c->entered) + 1;
  mpl_store64_rlx(&at(*waiter)->next, 0);
  mpl_store64_rlx(&at(*waiter)->previous, last);
  mpl_store64_rlx(&at(*waiter)->ident, mpl_slot_ident(mpl_self));
  mpl_store64_rlx(&at(*waiter)->number, number);
  mpl_store64_rlx(&at(*waiter)->notified, 0);
  mpl_hand_take(mpl_self, *waiter);
  mpl_tx_store(last == 0 ? &c->first : &at(last)->next, *waiter);
  mpl_tx_store(&c->last, *waiter);
  mpl_tx_store(&c->entered, number);
  mpl_tx_commit();
  mpl_robust_unlock(&c->guard);
  return MPL_OK;
}

/* MPL_OK if the waiter is notified, else MPL_BLOCK with w filled. */
enum mpl_status mpl_condition_try(struct mpl_condition *c, mpl_off waiter, struct mpl_wait *w) {
  mend(c);
  if (mpl_load64_acq(&at(waiter)->notified) != 0) {
    /* A section that is still open may be undone. */
    if (mpl_robust_lock(&c->guard) == MPL_DAMAGED) return MPL_DAMAGED;
    bool stands = mpl_load64_rlx(&at(waiter)->notified) != 0;
    mpl_robust_unlock(&c->guard);
    if (stands) return MPL_OK;
  }
  w->kind = MPL_WAIT_OBJECT;
  w->body = c;
  w->ec = &c->notified;
  w->watch = &at(waiter)->notified;
  w->seen = 0;
  return MPL_BLOCK;
}

/* The caller waits no more: takes it out of the list. MPL_OK: it had been notified; MPL_TIMEOUT:
   not; MPL_DAMAGED. With `pass_on` a notification goes to the next one instead. Until then the
   slot says what it waits for, so mpl_wait_done comes after this. */
enum mpl_status mpl_condition_leave(struct mpl_condition *c, mpl_off waiter, bool pass_on) {
  if (mpl_robust_lock(&c->guard) == MPL_DAMAGED) return MPL_DAMAGED;
  uint64_t notified = mpl_load64_rlx(&at(waiter)->notified);
  tx_take_out(c, waiter);
  if (pass_on && tx_give(c, 1, notified) > 0) mpl_tx_wake(&c->notified, MPL_EC_ALL);
  mpl_tx_commit();
  mpl_robust_unlock(&c->guard);
  mpl_store64_rlx(&mpl_self->waiting, 0);
  if (pass_on) mpl_tx_wake_flush();
  mpl_heap_free(mpl_self, waiter);
  return notified != 0 ? MPL_OK : MPL_TIMEOUT;
}

/* Notifies n of those who wait, or all if they are fewer. The caller holds the lock. MPL_OK or
   MPL_DAMAGED. If it dies in the middle the first so many are notified. */
enum mpl_status mpl_condition_notify(struct mpl_condition *c, uint64_t n) {
  uint64_t given;
  mend(c);
  do {
    if (mpl_robust_lock(&c->guard) == MPL_DAMAGED) return MPL_DAMAGED;
    given = tx_give(c, n < WAITERS_PER_SECTION ? n : WAITERS_PER_SECTION,
                    mpl_load64_rlx(&c->entered));
    if (given > 0) mpl_tx_wake(&c->notified, MPL_EC_ALL);
    mpl_section_leave(&c->guard);
    n -= given;
  } while (given == WAITERS_PER_SECTION && n > 0);
  return MPL_OK;
}
