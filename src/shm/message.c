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

/* Frees a message out of the hand of `holder`: the caller, or a dead process that it cleans up
   after. Objects that lose their last reference wait for the next mpl_object_bury. */
void mpl_message_drop(struct mpl_slot *holder, mpl_off message) {
  drop_refs(mpl_message_at(message));
  mpl_heap_free(holder, message);
}

/* For the walk of the structure that owns it (struct mpl_object_ops). */
bool mpl_message_walk(mpl_off message, bool (*visit)(void *arg, mpl_off block),
                      bool (*ref)(void *arg, uint64_t id), void *arg) {
  if (!visit(arg, message)) return false;
  struct mpl_message *m = mpl_message_at(message);
  for (uint64_t i = 0; i < mpl_load64_rlx(&m->nrefs); i++)
    if (!ref(arg, mpl_load64_rlx(&m->ref[i]))) return false;
  return true;
}
