/*
** Recursive locks: see rlock.h.
*/
#include "ds/rlock.h"

static const struct mpl_object_ops ops = {.name = "RLock", .holder = mpl_lock_holder};

void mpl_rlock_register(void) {
  mpl_object_register(MPL_TYPE_RLOCK, &ops);
}

/* A free lock, to which the caller holds a reference. MPL_NOMEM, MPL_NOPRIVATE. */
enum mpl_status mpl_rlock_new(uint64_t *id) {
  return mpl_object_new(MPL_TYPE_RLOCK, sizeof(struct mpl_rlock), NULL, NULL, id);
}

/* How often the holder holds it; of use to the holder only. */
uint64_t mpl_rlock_depth(const struct mpl_rlock *rlock) {
  return mpl_load64_rlx(&rlock->depth);
}

/* Holder only. */
void mpl_rlock_set_depth(struct mpl_rlock *rlock, uint64_t depth) {
  mpl_store64_rlx(&rlock->depth, depth);
}

/* As mpl_lock_try, but a thread that holds the lock takes it once more. */
enum mpl_status mpl_rlock_try(struct mpl_rlock *rlock, uint32_t thread, struct mpl_wait *w) {
  if (mpl_lock_is_held_by(&rlock->lock, thread)) {
    MPL_POINT();
    mpl_rlock_set_depth(rlock, mpl_rlock_depth(rlock) + 1);
    return MPL_OK;
  }
  enum mpl_status s = mpl_lock_try(&rlock->lock, thread, w);
  MPL_POINT();
  if (s != MPL_BLOCK) mpl_rlock_set_depth(rlock, 1);
  return s;
}

/* Undoes one acquisition. MPL_MISUSE if this thread does not hold it. */
enum mpl_status mpl_rlock_release(struct mpl_rlock *rlock, uint32_t thread) {
  if (!mpl_lock_is_held_by(&rlock->lock, thread)) return MPL_MISUSE;
  uint64_t depth = mpl_rlock_depth(rlock) - 1;
  MPL_POINT();
  mpl_rlock_set_depth(rlock, depth);
  return depth > 0 ? MPL_OK : mpl_lock_release(&rlock->lock);
}
