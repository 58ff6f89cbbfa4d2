/*
** Lifetimes: see life.h. All but the looks of life.h is done under the object lock.
*/
#include "shm/life.h"

#include "shm/super.h"

void mpl_life_register(void) {
  static const struct mpl_object_ops ops = {.name = "Lifetime"};
  mpl_object_register(MPL_TYPE_LIFE, &ops);
}

/* A lifetime that is not over, to which the caller then holds a reference. MPL_NOMEM,
   MPL_NOPRIVATE. */
enum mpl_status mpl_life_new(uint64_t *id) {
  return mpl_object_new(MPL_TYPE_LIFE, sizeof(struct mpl_life), NULL, NULL, id);
}

/* In a section under the object lock: the object, which belongs to none and is known to its maker
   only, belongs to this lifetime. */
void mpl_life_tx_give(struct mpl_life *life, uint64_t id) {
  struct mpl_object_head *head = mpl_object_head_of(id);
  MPL_ASSERT(mpl_load64_rlx(&head->life) == 0);
  mpl_object_tx_ref(mpl_object_id_of(life));
  mpl_tx_store(&head->life, mpl_arena_off(life));
}

/* The same as a section of its own. MPL_OK or MPL_DAMAGED. */
enum mpl_status mpl_life_give(struct mpl_life *life, uint64_t id) {
  struct mpl_robust *lock = &mpl_super()->objects.lock;
  if (mpl_robust_lock(lock) == MPL_DAMAGED) return MPL_DAMAGED;
  mpl_life_tx_give(life, id);
  mpl_tx_commit();
  mpl_robust_unlock(lock);
  return MPL_OK;
}

/* From now on it is over; it may be already. MPL_OK or MPL_DAMAGED. No lock is held. */
enum mpl_status mpl_life_end(struct mpl_life *life) {
  struct mpl_robust *lock = &mpl_super()->objects.lock;
  if (mpl_robust_lock(lock) == MPL_DAMAGED) return MPL_DAMAGED;
  mpl_tx_publish(&life->over, 1);
  mpl_tx_wake(&life->ended, MPL_EC_ALL);
  mpl_tx_commit();
  mpl_robust_unlock(lock);
  mpl_tx_wake_flush();
  return MPL_OK;
}
