/*
** The robust lock: guards structures in shared memory and survives its holder.
**
** A process-shared robust mutex. When a holder dies, the next locker gets the lock together with
** the duty to roll the dead process's section back; that is done here, by the one function
** installed with mpl_robust_install, before the lock is handed to the caller. Callers see
** MPL_RECOVERED instead of MPL_OK and find the structure as it was between two sections.
**
** It guards structures for the length of a section, never what users call a Lock (ds/lock.h), and
** no Lua call happens under it.
*/
#ifndef MPL_SYNC_ROBUST_H
#define MPL_SYNC_ROBUST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/status.h"

struct mpl_robust {
  pthread_mutex_t mutex;
  mpl_a64 holder; /* identity of the holder, written under the mutex; 0: free, or the holder died
                     before it could say so or after it was done: it has no section open then */
  uint32_t rank;  /* place in the lock order, fixed at init; see doc/locking.md */
  mpl_a32 damaged; /* set once, under the mutex, if a recovery failed */
};

/*
** Rolls back what the process `holder` left in the middle. Called with `lock`, a dead process's,
** held. `holder` is that process, or 0 if it had nothing open. It may not look dead yet: the kernel
** gives the locks of a dying process free one by one, its life mutex last. May be called again for
** the same death, and with an identity that is long gone. False if it could not make things whole.
*/
typedef bool (*mpl_robust_recover)(const struct mpl_robust *lock, uint64_t holder);

void mpl_robust_install(mpl_robust_recover recover);
void mpl_robust_set_self(uint64_t self);

enum mpl_status mpl_robust_init(struct mpl_robust *lock, uint32_t rank);
enum mpl_status mpl_robust_lock(struct mpl_robust *lock);
enum mpl_status mpl_robust_trylock(struct mpl_robust *lock);
enum mpl_status mpl_robust_lock_until(struct mpl_robust *lock, int64_t deadline,
                                      bool (*interrupted)(void));
void mpl_robust_unlock(struct mpl_robust *lock);

#endif
