/*
** The undo journal: see journal.h. The order in which a process stores is all that counts here
** (mpl_fence_death): the stores of a dead process are coherent up to the last one it made.
*/
#include "shm/journal.h"

MPL_PER_PROCESS struct mpl_journal *mpl_tx;
MPL_PER_PROCESS bool mpl_tx_answered;

/* Applying a publication twice does no harm: its lock is still held, or in the hands of
   recovery. */
static void apply_publications(struct mpl_journal *j) {
  uint64_t n = mpl_load64_rlx(&j->npublish);
  for (uint64_t i = 0; i < n; i++) {
    MPL_POINT();
    mpl_store64_rel(MPL_AT(mpl_a64, j->publish[i].at), j->publish[i].value);
  }
}

static void forget(struct mpl_journal *j) {
  mpl_fence_death();
  mpl_store64_rlx(&j->nundo, 0);
  MPL_POINT();
  mpl_store64_rlx(&j->npublish, 0);
  mpl_fence_death();
  MPL_POINT();
  mpl_store64_rlx(&j->committed, 0);
  mpl_fence_death();
}

/* Ends the section: from the first store in here on it has happened. */
void mpl_tx_commit(void) {
  struct mpl_journal *j = mpl_tx;
  MPL_POINT();
  mpl_fence_death();
  if (mpl_load64_rlx(&j->npublish) == 0) {
    mpl_store64_rlx(&j->nundo, 0);
    mpl_fence_death();
  } else {
    mpl_store64_rlx(&j->committed, 1);
    mpl_fence_death();
    apply_publications(j);
    MPL_POINT();
    forget(j);
  }
  MPL_POINT();
}

#if defined(MPL_TEST)
/* Whether to leave the old value of this word out. Of those only that would be missed: the section
   has not stored the word before, and changes it. */
bool mpl_tx_mutant(const mpl_a64 *word, uint64_t value) {
  if (mpl_load64_rlx(word) == value) return false;
  for (uint64_t i = 0; i < mpl_load64_rlx(&mpl_tx->nundo); i++)
    if (mpl_tx->undo[i].at == mpl_arena_off(word)) return false;
  return MPL_MUTANT(MPL_MUTANT_STORE, word);
}
#endif

/* Does the wake-ups noted by mpl_tx_wake; after the lock was released, so that nobody wakes up only
   to wait for it. */
void mpl_tx_wake_flush(void) {
  struct mpl_journal *j = mpl_tx;
  uint64_t n = mpl_load64_rlx(&j->nwake);
  for (uint64_t i = 0; i < n; i++) {
    struct mpl_ec *ec = MPL_AT(struct mpl_ec, j->wake[i].ec);
    uint64_t count = j->wake[i].count;
    MPL_POINT();
    if (mpl_ec_awaited(ec)) mpl_ec_wake(ec, count > MPL_EC_ALL ? MPL_EC_ALL : (int)count);
  }
  mpl_fence_death();
  MPL_POINT();
  mpl_store64_rlx(&j->nwake, 0);
}

/* Does none of them: whom the change concerns is awake, and sees it. */
void mpl_tx_wake_forget(void) {
  MPL_POINT();
  mpl_store64_rlx(&mpl_tx->nwake, 0);
}

static bool is_word(mpl_off at, uint64_t limit) {
  return at != 0 && at <= limit && at % sizeof(uint64_t) == 0;
}

/* Whether what the journal says can be followed at all: it is the one thing that recovery
   trusts. */
static bool is_sound(const struct mpl_journal *j) {
  uint64_t undo = mpl_load64_rlx(&j->nundo), publish = mpl_load64_rlx(&j->npublish);
  uint64_t limit = mpl_load64_rlx(mpl_arena.populated) - sizeof(uint64_t);
  if (undo > MPL_JOURNAL_UNDO || publish > MPL_JOURNAL_PUBLISH) return false;
  for (uint64_t i = 0; i < undo; i++)
    if (!is_word(j->undo[i].at, limit)) return false;
  for (uint64_t i = 0; i < publish; i++)
    if (!is_word(j->publish[i].at, limit)) return false;
  return true;
}

/*
** Brings the section of a journal to one of its two ends, if there is one. For
** a recoverer that holds the dead owner's journal lock. May be interrupted by death at any
** point and done again by another. MPL_JOURNAL_BROKEN: it cannot be followed, and was not.
*/
enum mpl_journal_end mpl_journal_roll(struct mpl_journal *j) {
  uint64_t n = mpl_load64_rlx(&j->nundo);
  if (n == 0 && mpl_load64_rlx(&j->npublish) == 0 && !mpl_load64_rlx(&j->committed))
    return MPL_JOURNAL_EMPTY;
  if (!is_sound(j)) return MPL_JOURNAL_BROKEN;
  if (mpl_load64_rlx(&j->committed)) {
    apply_publications(j);
  } else {
    while (n-- > 0) {
      MPL_POINT();
      mpl_store64_rlx(MPL_AT(mpl_a64, j->undo[n].at), j->undo[n].old);
      mpl_fence_death();
      MPL_POINT();
      /* One by one: a store undone early may be what makes the place of a later one reachable. */
      mpl_store64_rlx(&j->nundo, n);
      mpl_fence_death();
    }
  }
  MPL_POINT();
  forget(j);
  return MPL_JOURNAL_ROLLED;
}

/* Wakes everybody whom a dead process had still to wake. Recoverer only. */
void mpl_journal_wake(struct mpl_journal *j) {
  uint64_t n = mpl_load64_rlx(&j->nwake);
  for (uint64_t i = 0; i < n && i < MPL_JOURNAL_WAKE; i++) {
    MPL_POINT();
    mpl_ec_wake_for_dead(MPL_AT(struct mpl_ec, j->wake[i].ec));
  }
  mpl_fence_death();
  MPL_POINT();
  mpl_store64_rlx(&j->nwake, 0);
}
