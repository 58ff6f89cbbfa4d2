/*
** See section.h.
*/
#include "ds/section.h"

#include "base/os.h"

/* Sections last well under a microsecond, but their process can lose its CPU in the middle. An
   operation that does not want to wait for an item waits this long for the lock all the same. */
#define PATIENCE (1 * MPL_NS_PER_S)

static bool attention(void) {
  return mpl_load32_rlx(&mpl_wait_attention) != 0;
}

/* MPL_OK with the lock held; MPL_TIMEOUT (its holder is stopped, and the deadline has passed),
   MPL_SIGNAL or MPL_DAMAGED without. */
enum mpl_status mpl_section_enter(struct mpl_robust *lock, int64_t deadline) {
  enum mpl_status s = mpl_robust_trylock(lock);
  if (s == MPL_BLOCK) {
    int64_t least = mpl_os_now() + PATIENCE;
    s = mpl_robust_lock_until(lock, deadline > least ? deadline : least, attention);
  }
  return s == MPL_RECOVERED ? MPL_OK : s;
}
