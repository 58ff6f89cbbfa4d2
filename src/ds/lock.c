/*
** Locks of scripts: see lock.h.
*/
#include "ds/lock.h"

#include <stdio.h>

#define ABANDONED ((uint64_t)1 << 47)
#define IDENT MPL_SLOT_IDENT_MASK
#define THREAD_SHIFT 48

/* See struct mpl_object_ops; the body begins with a lock. */
uint64_t mpl_lock_holder(const void *body, uint64_t *order) {
  const struct mpl_lock *lock = body;
  *order = mpl_load64_rlx(&lock->order);
  return mpl_load32_rlx(&lock->handed_over) ? 0 : mpl_load64_acq(&lock->word) & IDENT;
}

static const struct mpl_object_ops ops = {.name = "Lock", .holder = mpl_lock_holder};

void mpl_lock_register(void) {
  mpl_object_register(MPL_TYPE_LOCK, &ops);
}

/* A free lock, to which the caller holds a reference. MPL_NOMEM, MPL_NOPRIVATE. */
enum mpl_status mpl_lock_new(uint64_t *id) {
  return mpl_object_new(MPL_TYPE_LOCK, sizeof(struct mpl_lock), NULL, NULL, id);
}

/* Wakes one waiter, who then watches the life of the present holder. As long as anybody waits, at
   least one does: the first to come, the one woken by whoever took the lock after a sleep, or the
   one woken by a watcher that gave up. When the holder dies the kernel wakes it. */
static void hand_watch_on(struct mpl_lock *lock) {
  if (mpl_ec_awaited(&lock->released)) mpl_ec_wake(&lock->released, 1);
}

/* Locks that this process has taken, ever. */
static MPL_PER_PROCESS uint64_t taken;

static uint64_t word_of_caller(uint32_t thread) {
  return mpl_slot_ident(mpl_self) | (uint64_t)thread << THREAD_SHIFT;
}

/* Whether this thread of the caller holds it. */
bool mpl_lock_is_held_by(const struct mpl_lock *lock, uint32_t thread) {
  return (mpl_load64_rlx(&lock->word) & ~ABANDONED) == word_of_caller(thread);
}

/* Takes the lock for a thread of the caller if it is free. */
bool mpl_lock_grab(struct mpl_lock *lock, uint32_t thread) {
  uint64_t found = 0;
  MPL_POINT();
  if (!mpl_cas64_ar(&lock->word, &found, word_of_caller(thread))) return false;
  mpl_store64_rlx(&lock->order, taken++);
  return true;
}

/* The caller has the lock after a wait. */
static enum mpl_status got(struct mpl_lock *lock, enum mpl_status s, const struct mpl_wait *w) {
  MPL_POINT();
  mpl_store64_rlx(&lock->order, taken++);
  if (mpl_wait_slept(w)) hand_watch_on(lock);
  return s;
}

/* Somebody else holds it: says in w whom to wait for. */
static enum mpl_status blocked(struct mpl_lock *lock, uint64_t found, struct mpl_wait *w) {
  w->kind = MPL_WAIT_OBJECT;
  w->body = lock;
  w->ec = &lock->released;
  w->watch = &lock->word;
  w->seen = found;
  w->peer = found & IDENT;
  w->mortal = true;
  return MPL_BLOCK;
}

/*
** Takes the lock for a thread of the caller. MPL_OK; MPL_RECOVERED: taken, and its last holder had
** ended without releasing it; MPL_BLOCK: somebody holds it (w says whom to wait for).
*/
enum mpl_status mpl_lock_try(struct mpl_lock *lock, uint32_t thread, struct mpl_wait *w) {
  uint64_t me = word_of_caller(thread), found = 0;
  MPL_POINT();
  if (mpl_cas64_ar(&lock->word, &found, me)) return got(lock, MPL_OK, w);
  while (!mpl_slot_ident_lives(found & IDENT)) {
    MPL_POINT();
    if (mpl_cas64_ar(&lock->word, &found, found == 0 ? me : me | ABANDONED))
      return got(lock, found == 0 ? MPL_OK : MPL_RECOVERED, w);
  }
  return blocked(lock, found, w);
}

/* MPL_OK if no living process holds the lock, which stays as it is; MPL_BLOCK as mpl_lock_try. */
enum mpl_status mpl_lock_look(struct mpl_lock *lock, struct mpl_wait *w) {
  uint64_t found = mpl_load64_acq(&lock->word);
  return mpl_slot_ident_lives(found & IDENT) ? blocked(lock, found, w) : MPL_OK;
}

/* Releases somebody else's lock. Waiters watch the holder's life, not the caller's: should it die
   before it has woken them, its journal says whom to wake. */
static enum mpl_status release_for(struct mpl_lock *lock, uint64_t found) {
  mpl_tx_wake(&lock->released, 1);
  while (found != 0) {
    if ((found & IDENT) != mpl_slot_ident(mpl_self)) mpl_store32_rlx(&lock->handed_over, 1);
    MPL_POINT();
    if (mpl_cas64_ar(&lock->word, &found, 0)) break;
  }
  mpl_tx_wake_flush();
  return found == 0 ? MPL_MISUSE : MPL_OK;
}

/* Frees the lock, whoever holds it. MPL_MISUSE if nobody does. */
enum mpl_status mpl_lock_release(struct mpl_lock *lock) {
  uint64_t found = mpl_load64_rlx(&lock->word);
  if ((found & IDENT) != mpl_slot_ident(mpl_self)) return release_for(lock, found);
  MPL_POINT();
  if (!mpl_cas64_ar(&lock->word, &found, 0)) return release_for(lock, found);
  MPL_POINT();
  if (mpl_ec_awaited(&lock->released)) mpl_ec_wake(&lock->released, 1);
  return MPL_OK;
}

/* A waiter gives up. It may have been woken for nothing, or have been the one who watches the
   holder: the next waiter is woken for it. */
void mpl_lock_pass_on(struct mpl_lock *lock) {
  hand_watch_on(lock);
}

/* Who holds it. `abandoned`: its holder ended without releasing it, or the present holder took it
   over from such a one. Stale as soon as it is known. */
struct mpl_lock_info mpl_lock_info_of(struct mpl_lock *lock) {
  uint64_t v = mpl_load64_acq(&lock->word);
  return (struct mpl_lock_info){
      .holder = v & IDENT,
      .thread = (uint32_t)(v >> THREAD_SHIFT),
      .abandoned = v != 0 && ((v & ABANDONED) != 0 || !mpl_slot_ident_lives(v & IDENT))};
}

/* For people: the name of the holding process, "a dead process" or "None". */
void mpl_lock_holder_name(struct mpl_lock *lock, char name[MPL_SLOT_NAME]) {
  uint64_t holder = mpl_lock_info_of(lock).holder;
  struct mpl_slot *slot = holder != 0 ? mpl_slot_find(holder) : NULL;
  if (slot != NULL)
    mpl_slot_get_name(slot, name);
  else
    snprintf(name, MPL_SLOT_NAME, "%s", holder != 0 ? "a dead process" : "None");
}
