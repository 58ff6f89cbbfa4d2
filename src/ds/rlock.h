/*
** The lock that its holder may take again: a Lock and how often it is held.
**
** `depth` belongs to the holder. One that died leaves any number there; whoever takes the lock
** over sets it.
*/
#ifndef MPL_DS_RLOCK_H
#define MPL_DS_RLOCK_H

#include "ds/lock.h"

struct mpl_rlock {
  struct mpl_lock lock; /* first: what takes any lock looks at this alone */
  mpl_a64 depth;
};

void mpl_rlock_register(void);
enum mpl_status mpl_rlock_new(uint64_t *id);
enum mpl_status mpl_rlock_try(struct mpl_rlock *rlock, uint32_t thread, struct mpl_wait *w);
enum mpl_status mpl_rlock_release(struct mpl_rlock *rlock, uint32_t thread);
uint64_t mpl_rlock_depth(const struct mpl_rlock *rlock);
void mpl_rlock_set_depth(struct mpl_rlock *rlock, uint64_t depth);

#endif
