/*
** The gate of a structure: a lock for operations that run Lua while nobody else may change it.
**
** Who makes several changes at once holds the gate, for as long as it likes; who makes a single
** change passes it, and waits while it is held. Readers take no notice. A change passes the gate
** under the lock of the part that it changes: so either the holder of the gate sees the change, or
** the change sees the gate.
**
** It is a lock as scripts have (ds/lock.h), known to deadlock detection if the structure's body
** begins with it. Whoever takes it over from a dead holder puts right what that one left.
*/
#ifndef MPL_DS_GATE_H
#define MPL_DS_GATE_H

#include "ds/lock.h"

enum mpl_status mpl_gate_pass_held(struct mpl_lock *gate, uint32_t thread, struct mpl_wait *w);

/* MPL_OK if no living process holds the gate, or this thread of the caller does; MPL_BLOCK with w
   filled. Whoever slept for it calls mpl_lock_pass_on afterwards, whether it got through or gave
   up: a release wakes one waiter. */
static inline enum mpl_status mpl_gate_pass(struct mpl_lock *gate, uint32_t thread,
                                            struct mpl_wait *w) {
  return mpl_load64_acq(&gate->word) == 0 ? MPL_OK : mpl_gate_pass_held(gate, thread, w);
}

#endif
