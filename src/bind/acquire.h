/*
** What everything that can be acquired has in common: Lock, RLock, Semaphore, the lock of a
** Condition.
*/
#ifndef MPL_BIND_ACQUIRE_H
#define MPL_BIND_ACQUIRE_H

#include <lua.h>
#include <stdint.h>

#include "ds/rlock.h"

/* How a kind of thing is acquired. The functions get its body. */
struct mpl_acquire_kind {
  enum mpl_status (*attempt)(void *body, struct mpl_wait *w); /* MPL_BLOCK with w filled */
  void (*pass_on)(void *body); /* for a waiter that gives up */
};

extern const struct mpl_acquire_kind mpl_acquire_lock, mpl_acquire_rlock;

void mpl_acquire_pass_lock_on(void *body);
int64_t mpl_acquire_deadline(lua_State *L);
int mpl_acquire(lua_State *L, void *body, const struct mpl_acquire_kind *kind, int64_t deadline);

#endif
