/*
** The undo journal: makes a section all or nothing, whatever instruction its process dies at.
**
** A section is the stores that a process makes to a shared structure under the structure's lock.
** Each goes through mpl_tx_store, which writes down the old value first; mpl_tx_commit forgets the
** old values with one store. Words that other processes read without the lock are not stored but
** handed to mpl_tx_publish: they get their values in the commit, after the point of no return.
**
** When a process dies, whoever gets its lock next (or notices its death otherwise) calls
** mpl_journal_roll: before the commit all is undone, after it the publishing is completed.
**
** Rules:
**  - A section belongs to one lock. Sections do not nest: what an inner call takes from the heap or
**    the object table is committed there and stands in the slot's hand (shm/slot.h) until an outer
**    section moves it from there into its structure.
**  - A section ends before its lock is released.
**  - Stores to memory that nobody can reach yet need no journal.
**  - Words are 64 bits. One word is published at most once in a section.
**
** Wake-ups: mpl_tx_wake notes, before the commit, whom the change concerns; mpl_tx_wake_flush is
** called after the unlock and does it. If the process dies in between, whoever recovers its slot
** wakes them, so that no wake-up is lost with its sender.
*/
#ifndef MPL_SHM_JOURNAL_H
#define MPL_SHM_JOURNAL_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/point.h"
#include "shm/arena.h"
#include "sync/eventcount.h"

#define MPL_JOURNAL_UNDO 64
#define MPL_JOURNAL_PUBLISH 4
#define MPL_JOURNAL_WAKE 4

struct mpl_journal {
  mpl_a64 committed; /* 1: the stores stand, the publishing may be incomplete */
  mpl_a64 nundo;
  mpl_a64 npublish;
  mpl_a64 nwake;
  struct {
    mpl_off at;
    uint64_t old;
  } undo[MPL_JOURNAL_UNDO];
  struct {
    mpl_off at;
    uint64_t value;
  } publish[MPL_JOURNAL_PUBLISH];
  struct {
    mpl_off ec;
    uint64_t count; /* how many to wake */
  } wake[MPL_JOURNAL_WAKE];
};

/* What rolling a journal back found. */
enum mpl_journal_end { MPL_JOURNAL_EMPTY, MPL_JOURNAL_ROLLED, MPL_JOURNAL_BROKEN };

/* The journal of this process; lies in its slot. */
extern MPL_PER_PROCESS struct mpl_journal *mpl_tx;

/* Whether this process has signalled somebody since its last wait; see shm/wait.c. */
extern MPL_PER_PROCESS bool mpl_tx_answered;

void mpl_tx_commit(void);
void mpl_tx_wake_flush(void);
void mpl_tx_wake_forget(void);
enum mpl_journal_end mpl_journal_roll(struct mpl_journal *j);
void mpl_journal_wake(struct mpl_journal *j);

#if defined(MPL_TEST)
bool mpl_tx_mutant(const mpl_a64 *word, uint64_t value);
#else
#define mpl_tx_mutant(word, value) false
#endif

/* Stores a word of a shared structure so that it can be undone. Holder of the structure's lock. */
static inline void mpl_tx_store(mpl_a64 *word, uint64_t value) {
  struct mpl_journal *j = mpl_tx;
  uint64_t n = mpl_load64_rlx(&j->nundo);
  MPL_ASSERT(n < MPL_JOURNAL_UNDO);
  MPL_POINT();
  if (!mpl_tx_mutant(word, value)) {
    j->undo[n].at = mpl_arena_off(word);
    j->undo[n].old = mpl_load64_rlx(word);
    mpl_fence_death();
    mpl_store64_rlx(&j->nundo, n + 1);
    mpl_fence_death();
  }
  MPL_POINT();
  mpl_store64_rlx(word, value);
}

/* Has the commit store, with release, a word that others read without the lock. */
static inline void mpl_tx_publish(mpl_a64 *word, uint64_t value) {
  struct mpl_journal *j = mpl_tx;
  uint64_t n = mpl_load64_rlx(&j->npublish);
  MPL_ASSERT(n < MPL_JOURNAL_PUBLISH);
  MPL_POINT();
  if (MPL_MUTANT(MPL_MUTANT_PUBLISH, word)) {
    mpl_store64_rel(word, value);
    return;
  }
  j->publish[n].at = mpl_arena_off(word);
  j->publish[n].value = value;
  mpl_fence_death();
  mpl_store64_rlx(&j->npublish, n + 1);
}

/* Notes that up to n sleepers of the event count are to be woken by mpl_tx_wake_flush. */
static inline void mpl_tx_wake(struct mpl_ec *ec, uint64_t n) {
  struct mpl_journal *j = mpl_tx;
  uint64_t k = mpl_load64_rlx(&j->nwake);
  mpl_tx_answered = true;
  MPL_ASSERT(k < MPL_JOURNAL_WAKE);
  MPL_POINT();
  if (MPL_MUTANT(MPL_MUTANT_WAKE, ec)) return;
  j->wake[k].ec = mpl_arena_off(ec);
  j->wake[k].count = n;
  mpl_fence_death();
  mpl_store64_rlx(&j->nwake, k + 1);
  mpl_fence_death();
}

#endif
