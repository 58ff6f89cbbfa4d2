/*
** Which objects a process refers to.
**
** A process's slot points at a chain of reference lists. The newest list is the process's own and
** may change; the older ones are shared with processes that it forked or was forked from, and are
** frozen: a fork counts the newest list once more and is done, however many objects there are. A
** list counts who points at it: slots, and newer lists. A list that only this process reaches is
** its own again.
**
** A reference in a list that is still shared cannot be dropped alone. It goes when the last process
** that inherited it has ended, or when the list has become the process's own (mpl_reflist_sweep).
**
** A process has at most one entry for an object, however many handles. Where it stands and how many
** handles there are is kept in private memory, which a fork copies along with the handles.
**
** Everything shared here is guarded by the object lock (shm/object.h).
*/
#ifndef MPL_SHM_REFLIST_H
#define MPL_SHM_REFLIST_H

#include "shm/arena.h"

struct mpl_slot;

void mpl_reflist_release(uint64_t id);
void mpl_reflist_sweep(void);
enum mpl_status mpl_reflist_share(struct mpl_slot *child);
void mpl_reflist_drop_all(struct mpl_slot *slot);
void mpl_reflist_each(const struct mpl_slot *slot, void (*visit)(void *arg, uint64_t id),
                      void *arg);

/* For shm/object.c. */
bool mpl_reflist_again(uint64_t id);
enum mpl_status mpl_reflist_reserve(uint64_t index);
void mpl_reflist_tx_add(uint64_t id);
void mpl_reflist_added(uint64_t id);

bool mpl_reflist_check(struct mpl_slot *slot, bool (*visit)(void *arg, mpl_off block),
                       bool (*ref)(void *arg, uint64_t id), void *arg);

#endif
