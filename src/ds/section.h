/*
** Entering the section of a structure from an operation that has a deadline, and leaving it.
*/
#ifndef MPL_DS_SECTION_H
#define MPL_DS_SECTION_H

#include "shm/journal.h"
#include "shm/wait.h"
#include "sync/robust.h"

enum mpl_status mpl_section_enter(struct mpl_robust *lock, int64_t deadline);

/* Commits, and wakes whom the change concerns. */
static inline void mpl_section_leave(struct mpl_robust *lock) {
  mpl_tx_commit();
  mpl_robust_unlock(lock);
  mpl_tx_wake_flush();
}

#endif
