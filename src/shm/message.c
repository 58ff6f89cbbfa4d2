/*
** Messages: see message.h.
*/
#include "shm/message.h"

#include "shm/object.h"
#include "shm/recover.h"
#include "shm/super.h"

#define REFS_PER_SECTION 8 /* bounded by the journal */

/* Makes a message for `size` bytes, which the caller fills, and up to `nrefs` references, in the
   caller's hand. MPL_OK, MPL_NOMEM or MPL_DAMAGED. */
enum mpl_status mpl_message_new(uint64_t size, uint64_t nrefs, mpl_off *out) {
  enum mpl_status s =
      mpl_recover_alloc(sizeof(struct mpl_message) + nrefs * sizeof(uint64_t) + size, out);
  if (s != MPL_OK) return s;
  struct mpl_message *m = mpl_message_at(*out);
  MPL_POINT();
  mpl_store64_rlx(&m->next, 0);
  mpl_store64_rlx(&m->task, 0);
  m->size = size;
  m->capacity = nrefs;
  mpl_store64_rlx(&m->holders, 1);
  mpl_store64_rlx(&m->nrefs, 0);
  mpl_fence_death();
  MPL_POINT();
  mpl_hand_turn(mpl_self, *out, MPL_HAND_MESSAGE);
  mpl_tx_commit();
  return MPL_OK;
}

/* Counts a reference to an object that the caller holds one to. The message lies in its hand.
   MPL_OK or MPL_DAMAGED. */
enum mpl_status mpl_message_add_ref(mpl_off message, uint64_t id) {
  struct mpl_message *m = mpl_message_at(message);
  struct mpl_robust *lock = &mpl_super()->objects.lock;
  if (mpl_robust_lock(lock) == MPL_DAMAGED) return MPL_DAMAGED;
  uint64_t n = mpl_load64_rlx(&m->nrefs);
  MPL_ASSERT(n < m->capacity);
  MPL_POINT();
  mpl_store64_rlx(&m->ref[n], id);
  mpl_object_tx_ref(id);
  mpl_tx_store(&m->nrefs, n + 1);
  mpl_tx_commit();
  mpl_robust_unlock(lock);
  return MPL_OK;
}

/* Gives the references back. */
static void drop_refs(struct mpl_message *m) {
  struct mpl_robust *lock = &mpl_super()->objects.lock;
  uint64_t n;
  while ((n = mpl_load64_rlx(&m->nrefs)) > 0) {
    if (mpl_robust_lock(lock) == MPL_DAMAGED) return;
    for (int i = 0; i < REFS_PER_SECTION && n > 0; i++)
      mpl_object_tx_unref(mpl_load64_rlx(&m->ref[--n]));
    mpl_tx_store(&m->nrefs, n);
    mpl_tx_commit();
    mpl_robust_unlock(lock);
  }
}

/* In a section under the object lock: one owner more, whom the section makes one. The message has
   an owner that cannot drop it meanwhile. */
void mpl_message_tx_share(mpl_off message) {
  mpl_a64 *holders = &mpl_message_at(message)->holders;
  mpl_tx_publish(holders, mpl_load64_rlx(holders) + 1);
}

/* Makes the caller's hand one more owner of the message of a structure whose lock it holds, with no
   section open. MPL_OK or MPL_DAMAGED. */
enum mpl_status mpl_message_share(mpl_off message) {
  struct mpl_robust *lock = &mpl_super()->objects.lock;
  if (mpl_robust_lock(lock) == MPL_DAMAGED) return MPL_DAMAGED;
  mpl_message_tx_share(message);
  mpl_hand_put(mpl_self, message, MPL_HAND_MESSAGE);
  mpl_tx_commit();
  mpl_robust_unlock(lock);
  return MPL_OK;
}

/* Takes the message out of the hand if it has other owners. What its last owner does comes after
   all that the others did: the count is published. */
static bool leave_to_others(struct mpl_slot *holder, mpl_off message) {
  mpl_a64 *holders = &mpl_message_at(message)->holders;
  struct mpl_robust *lock = &mpl_super()->objects.lock;
  if (mpl_load64_acq(holders) == 1) return false;
  if (mpl_robust_lock(lock) == MPL_DAMAGED) { /* nobody counts any more: it is never freed */
    mpl_hand_take(holder, message);
    mpl_tx_commit();
    return true;
  }
  uint64_t n = mpl_load64_acq(holders);
  if (n > 1) {
    mpl_tx_publish(holders, n - 1);
    mpl_hand_take(holder, message);
    mpl_tx_commit();
  }
  mpl_robust_unlock(lock);
  return n > 1;
}

/* Drops a message out of the hand of `holder`: the caller, or a dead process that it cleans up
   after. It is freed if it has no other owner. Objects that lose their last reference wait for the
   next mpl_object_bury. */
void mpl_message_drop(struct mpl_slot *holder, mpl_off message) {
  if (leave_to_others(holder, message)) return;
  drop_refs(mpl_message_at(message));
  mpl_heap_free(holder, message);
}

/* For the walk of the structure that owns it (struct mpl_object_ops). If it has other owners, too,
   the first to come walks it for all. */
bool mpl_message_walk(mpl_off message, bool (*visit)(void *arg, mpl_off block),
                      bool (*ref)(void *arg, uint64_t id), void *arg) {
  bool first = visit(arg, message);
  struct mpl_message *m = mpl_message_at(message);
  if (!first) return mpl_load64_rlx(&m->holders) > 1;
  for (uint64_t i = 0; i < mpl_load64_rlx(&m->nrefs); i++)
    if (!ref(arg, mpl_load64_rlx(&m->ref[i]))) return false;
  return true;
}
