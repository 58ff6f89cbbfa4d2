/*
** See keep.h.
*/
#include "ds/keep.h"

#include "shm/heap.h"
#include "shm/message.h"
#include "shm/super.h"

#define SHARED_AT_ONCE 4 /* words that a section publishes */
_Static_assert(SHARED_AT_ONCE <= MPL_JOURNAL_PUBLISH, "one for each message");

/* Gives the shares back, one by one. */
static void dismantle(void *body) {
  struct mpl_keep *keep = body;
  uint64_t n;
  while ((n = mpl_load64_rlx(&keep->count)) > 0) {
    mpl_off message = mpl_load64_rlx(&keep->message[n - 1]);
    mpl_tx_store(&keep->count, n - 1);
    mpl_hand_put(mpl_self, message, MPL_HAND_MESSAGE);
    mpl_tx_commit();
    mpl_message_drop(mpl_self, message);
  }
}

/* See struct mpl_object_ops. */
static bool walk(void *body, bool (*visit)(void *arg, mpl_off block),
                 bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_keep *keep = body;
  uint64_t n = mpl_load64_rlx(&keep->count);
  if (n > keep->room) return false;
  for (uint64_t i = 0; i < n; i++)
    if (!mpl_message_walk(mpl_load64_rlx(&keep->message[i]), visit, ref, arg)) return false;
  return true;
}

void mpl_keep_register(void) {
  static const struct mpl_object_ops ops = {.name = "Snapshot", .dismantle = dismantle,
                                            .walk = walk};
  mpl_object_register(MPL_TYPE_KEEP, &ops);
}

static enum mpl_status init(void *body, const void *arg) {
  struct mpl_keep *keep = body;
  keep->room = *(const uint64_t *)arg;
  return MPL_OK;
}

/* An empty keep with room for so many, to which the caller holds a reference. MPL_NOMEM,
   MPL_NOPRIVATE. No lock is held. */
enum mpl_status mpl_keep_new(uint64_t room, uint64_t *id) {
  uint64_t size = sizeof(struct mpl_keep) + room * sizeof(uint64_t);
  return mpl_object_new(MPL_TYPE_KEEP, size, init, &room, id);
}

/* Adds shares of n messages of a structure whose lock the caller holds, with no section open.
   Nobody else has the keep. MPL_OK or MPL_DAMAGED. */
enum mpl_status mpl_keep_add(struct mpl_keep *keep, const mpl_off *message, uint64_t n) {
  struct mpl_robust *lock = &mpl_super()->objects.lock;
  uint64_t count = mpl_load64_rlx(&keep->count);
  MPL_ASSERT(n <= keep->room - count);
  while (n > 0) {
    if (mpl_robust_lock(lock) == MPL_DAMAGED) return MPL_DAMAGED;
    for (int i = 0; i < SHARED_AT_ONCE && n > 0; i++, n--) {
      mpl_message_tx_share(*message);
      mpl_store64_rlx(&keep->message[count++], *message++);
    }
    mpl_tx_store(&keep->count, count);
    mpl_tx_commit();
    mpl_robust_unlock(lock);
  }
  return MPL_OK;
}
