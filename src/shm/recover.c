/*
** Recovery: see recover.h.
*/
#include "shm/recover.h"

#include "base/os.h"
#include "shm/message.h"
#include "shm/object.h"
#include "shm/reflist.h"
#include "shm/super.h"

/* A slot reserved by a process that died during the fork is taken back after this long: the
   child, if there is one, has had time to claim it. One that comes later still finds it gone and
   ends. */
#define CLAIM_NS (10 * MPL_NS_PER_S)

/* Cleaning up takes microseconds, unless the one who does it was stopped. */
#define PATIENCE (1 * MPL_NS_PER_S)

/* Rolls the journal of a dead process back. Its identity is looked at again under the lock:
   others may have cleaned up, and the slot may belong to somebody else by now. Whether it lives
   is not: who died with a lock held may still look alive for a moment (sync/robust.h). */
static bool roll_back(struct mpl_slot *slot, uint64_t ident) {
  bool whole = true;
  if (mpl_robust_lock(&slot->journal_lock) == MPL_DAMAGED) return false;
  if (mpl_slot_ident(slot) == ident) {
    enum mpl_journal_end end = mpl_journal_roll(&slot->journal);
    if (end != MPL_JOURNAL_EMPTY) mpl_add64_ar(&mpl_super()->rolled_back, 1);
    whole = end != MPL_JOURNAL_BROKEN;
  }
  mpl_robust_unlock(&slot->journal_lock);
  return whole;
}

/* Called with the lock of a dead process held; see mpl_robust_recover. */
static bool recover_lock(const struct mpl_robust *lock, uint64_t holder) {
  /* Rolling back is begun anew by whoever has this lock now. */
  if (lock->rank == MPL_RANK_JOURNAL) return true;
  mpl_add64_ar(&mpl_super()->taken_over, 1);
  struct mpl_slot *slot = mpl_slot_find(holder);
  return slot == NULL || roll_back(slot, holder);
}

/* Makes the robust locks call recovery; before the first of them is taken. */
void mpl_recover_install(void) {
  mpl_robust_install(recover_lock);
}

/* Wakes those that the dead process had to wake, and those that may have missed a wake-up
   because it went to the dead process. */
static void wake_for(struct mpl_slot *slot) {
  mpl_journal_wake(&slot->journal);
  mpl_off ec = mpl_load64_rlx(&slot->waiting);
  if (ec != 0) mpl_ec_wake(MPL_AT(struct mpl_ec, ec), MPL_EC_ALL);
  mpl_store64_rlx(&slot->waiting, 0);
  mpl_os_futex_wake(mpl_slot_life_word(slot), INT32_MAX);
}

static void empty_hand(struct mpl_slot *slot) {
  uint64_t n;
  while ((n = mpl_load64_rlx(&slot->hand_count)) > 0) {
    uint64_t item = mpl_load64_rlx(&slot->hand[n - 1]);
    mpl_off off = item & ~(uint64_t)MPL_HAND_KIND_MASK;
    if ((item & MPL_HAND_KIND_MASK) == MPL_HAND_MESSAGE)
      mpl_message_drop(slot, off);
    else
      mpl_heap_free(slot, off);
  }
}

/* Cleans up; somebody else who is at it already is waited for until the deadline, and may be gone on
   after if he dies. If he is stopped the work waits for him. */
static void clean_up(uint64_t ident, int64_t deadline) {
  struct mpl_slot *slot = mpl_slot_find(ident);
  if (slot == NULL || mpl_slot_lives(slot)) return;
  enum mpl_status s = mpl_robust_lock_until(&slot->cleanup_lock, deadline, NULL);
  if (s != MPL_OK && s != MPL_RECOVERED) return;
  if (mpl_slot_ident(slot) == ident && roll_back(slot, ident)) {
    mpl_add64_ar(&mpl_super()->deaths, 1);
    wake_for(slot);
    empty_hand(slot);
    mpl_reflist_drop_all(slot);
    mpl_slot_release(slot, ident);
    if (mpl_ec_awaited(&mpl_super()->died)) mpl_ec_wake(&mpl_super()->died, MPL_EC_ALL);
    mpl_add64_ar(&mpl_super()->recovered, 1);
  }
  mpl_robust_unlock(&slot->cleanup_lock);
  mpl_reflist_sweep(); /* what was shared with the dead may be the caller's own now */
}

/* Cleans up after the process of this identity if it is dead and nobody has done so yet. No lock is
   held. */
void mpl_recover(uint64_t ident) {
  clean_up(ident, mpl_os_now() + PATIENCE);
}

/* Takes back a slot whose process never claimed it: the fork failed, or the child died before. The
   caller knows that it will not be claimed any more, or accepts that the claim then fails. */
void mpl_recover_unclaimed(struct mpl_slot *slot, uint64_t ident) {
  uint64_t reserved = mpl_slot_state_word(ident, MPL_SLOT_RESERVED);
  mpl_cas64_ar(&slot->state, &reserved, mpl_slot_state_word(ident, MPL_SLOT_ENDED));
  mpl_recover(ident);
}

/* Looks at one slot: if its process is dead it is cleaned up after, unless somebody is at it. */
void mpl_recover_at(uint64_t index) {
  struct mpl_slot *slot = mpl_slot_at(index);
  uint64_t ident = mpl_slot_ident(slot);
  enum mpl_slot_state state = mpl_slot_state_of(slot);
  if (slot == mpl_self || state == MPL_SLOT_FREE) return;
  if (state != MPL_SLOT_RESERVED) {
    clean_up(ident, 0);
  } else if (!mpl_slot_ident_lives(mpl_load64_rlx(&slot->reserver)) &&
             mpl_os_now() - (int64_t)mpl_load64_rlx(&slot->reserved_at) > CLAIM_NS) {
    mpl_recover_unclaimed(slot, ident);
  }
}

/* Looks at the next n slots of the table, so that the dead whom nobody waits for are noticed. */
void mpl_recover_some(unsigned n) {
  static MPL_PER_PROCESS uint64_t next;
  uint64_t count = mpl_slot_count();
  for (unsigned i = 0; i < n; i++) mpl_recover_at(next++ % count);
}

/* Looks at all of them. */
void mpl_recover_all(void) {
  uint64_t count = mpl_slot_count();
  for (uint64_t i = 0; i < count; i++) mpl_recover_at(i);
}
