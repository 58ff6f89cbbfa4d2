/*
** Recovery: see recover.h.
*/
#include "shm/recover.h"

#include "base/os.h"
#include "base/point.h"
#include "shm/message.h"
#include "shm/object.h"
#include "shm/reflist.h"
#include "shm/super.h"

/* Where it cannot be told whether a reserved slot will be claimed it is taken back after this long,
   ns. A child that comes later finds it gone and ends. */
#define CLAIM_NS (10 * MPL_NS_PER_S)

/* Cleaning up takes microseconds, unless the one who does it was stopped. */
#define PATIENCE (1 * MPL_NS_PER_S)

/* Sleepers, ns: see mpl_recover_watch. A look at so many slots takes some 30 us at most. */
#define FIRST_SLEEP MPL_NS_PER_S
#define SLEEPS_A_SECOND 32 /* at most, all sleepers together; each at least one second */
#define LOOK_EVERY (MPL_NS_PER_S / 4)
#define LOOK_SLACK (MPL_NS_PER_S / 50) /* less than that too early is not too early */
#define LOOK_AT 256

/* Rolls the journal of a dead process back. Its identity is looked at again under the lock:
   others may have cleaned up, and the slot may belong to somebody else by now. Whether it lives
   is not: who died with a lock held may still look alive for a moment (sync/robust.h). */
static bool roll_back(struct mpl_slot *slot, uint64_t ident) {
  bool whole = true;
  if (mpl_robust_lock(&slot->journal_lock) == MPL_DAMAGED) return false;
  if (mpl_slot_ident(slot) == ident) {
    enum mpl_journal_end end = mpl_journal_roll(&slot->journal);
    MPL_POINT();
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
  MPL_POINT();
  mpl_off ec = mpl_load64_rlx(&slot->waiting);
  if (ec != 0) mpl_ec_wake(MPL_AT(struct mpl_ec, ec), MPL_EC_ALL);
  MPL_POINT();
  mpl_store64_rlx(&slot->waiting, 0);
  mpl_os_futex_wake(mpl_slot_life_word(slot), INT32_MAX);
}

/* Whoever waits for something that a dead process may have had looks again. If the caller dies
   before it has said so, its own death is what they are told. */
static void tell_of_death(void) {
  struct mpl_super *super = mpl_super();
  mpl_add64_ar(&super->recovered, 1);
  MPL_POINT();
  if (mpl_ec_awaited(&super->died)) mpl_ec_wake(&super->died, MPL_EC_ALL);
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

/*
** Whether a reserved slot may still be claimed.
**
** Before its reserver has said that it forked: as long as that one lives. If it died, its fork
** never returned, nobody has learned of the child, and the child has run nothing of the script: the
** fork counts as one that did not happen. A child there is all the same finds the slot taken back
** and ends.
**
** Afterwards: as long as the child lives. Its pid is its own until its parent reaps it, and that
** one then takes the slot back itself. Only if the parent has died may it be a stranger's by now.
**
** A fork that was not mpl's own has no reserver: nobody says its pid, nor that it failed.
*/
static bool may_be_claimed(const struct mpl_slot *slot) {
  uint64_t reserver = mpl_load64_rlx(&slot->reserver);
  bool reserver_lives = mpl_slot_ident_lives(reserver);
  /* Only then: what a dead reserver has said is final. */
  pid_t pid = (pid_t)(mpl_load64_acq(&slot->forked) & UINT32_MAX);
  if (pid == 0 && reserver != 0) return reserver_lives;
  if (pid != 0 && mpl_os_pid_dead(pid)) return false;
  return reserver_lives || mpl_os_now() - (int64_t)mpl_load64_rlx(&slot->reserved_at) <= CLAIM_NS;
}

static void end_unclaimed(struct mpl_slot *slot, uint64_t ident) {
  uint64_t reserved = mpl_slot_state_word(ident, MPL_SLOT_RESERVED);
  mpl_cas64_ar(&slot->state, &reserved, mpl_slot_state_word(ident, MPL_SLOT_ENDED));
}

/* Cleans up; somebody else who is at it already is waited for until the deadline, and may be gone
   on after if he dies. If he is stopped the work waits for him. */
static void clean_up(uint64_t ident, int64_t deadline) {
  struct mpl_slot *slot = mpl_slot_find(ident);
  /* An identity that nobody has had yet is not a dead process's: a new one may get it meanwhile. */
  if (slot == NULL || mpl_load64_acq(&slot->state) == mpl_slot_state_word(ident, MPL_SLOT_FREE))
    return;
  if (mpl_slot_state_of(slot) == MPL_SLOT_RESERVED && !may_be_claimed(slot))
    end_unclaimed(slot, ident);
  if (mpl_slot_lives(slot)) return;
  enum mpl_status s = mpl_robust_lock_until(&slot->cleanup_lock, deadline, NULL);
  if (s != MPL_OK && s != MPL_RECOVERED) return;
  if (mpl_slot_ident(slot) == ident && roll_back(slot, ident)) {
    mpl_add64_ar(&mpl_super()->deaths, 1);
    wake_for(slot);
    empty_hand(slot);
    mpl_reflist_drop_all(slot);
    MPL_POINT();
    mpl_slot_release(slot, ident);
    tell_of_death();
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
  MPL_POINT();
  end_unclaimed(slot, ident);
  mpl_recover(ident);
}

/* Looks at one slot: if its process is dead it is cleaned up after, unless somebody is at it. */
void mpl_recover_at(uint64_t index) {
  struct mpl_slot *slot = mpl_slot_at(index);
  uint64_t ident = mpl_slot_ident(slot);
  if (slot != mpl_self && mpl_slot_state_of(slot) != MPL_SLOT_FREE) clean_up(ident, 0);
}

/* Looks at the next n slots of the table, or all, so that the dead whom nobody waits for are
   noticed. */
void mpl_recover_some(uint64_t n) {
  static MPL_PER_PROCESS uint64_t next;
  uint64_t count = mpl_slot_count();
  if (n > count) n = count;
  for (uint64_t i = 0; i < n; i++) mpl_recover_at(next++ % count);
}

/*
** For sleepers: to be called before each sleep of one wait with what the last call returned, at
** first with 0. Returns how long to sleep at most, ns. No lock is held.
**
** Of those who have slept for a while one looks at the table every now and then: if nobody has
** looked lately it is the caller, who then sleeps only until the next look; the others sleep the
** longer the more they are. So a death is noticed soon while anybody sleeps, and a thousand
** sleepers cost next to nothing.
*/
int64_t mpl_recover_watch(int64_t slept) {
  if (slept == 0) return FIRST_SLEEP;
  mpl_a64 *looked = &mpl_super()->looked_at;
  uint64_t last = mpl_load64_rlx(looked), now = (uint64_t)mpl_os_now();
  if (now - last + LOOK_SLACK >= LOOK_EVERY && mpl_cas64_ar(looked, &last, now)) {
    mpl_recover_some(LOOK_AT);
    return LOOK_EVERY;
  }
  int64_t members = (int64_t)mpl_load64_rlx(&mpl_super()->slots.live);
  int64_t most = members * (MPL_NS_PER_S / SLEEPS_A_SECOND);
  if (most < FIRST_SLEEP) most = FIRST_SLEEP;
  return slept < most / 2 ? 2 * slept : most;
}

/* Looks at all of them. True if somebody has been cleaned up after meanwhile. */
bool mpl_recover_all(void) {
  uint64_t count = mpl_slot_count(), before = mpl_load64_rlx(&mpl_super()->recovered);
  for (uint64_t i = 0; i < count; i++) mpl_recover_at(i);
  return mpl_load64_rlx(&mpl_super()->recovered) != before;
}

/* As mpl_heap_alloc, but what the dead hold does not count as used. No lock is held. */
enum mpl_status mpl_recover_alloc(uint64_t size, mpl_off *out) {
  enum mpl_status s;
  while ((s = mpl_heap_alloc(size, out)) == MPL_NOMEM && mpl_recover_all()) {}
  return s;
}
