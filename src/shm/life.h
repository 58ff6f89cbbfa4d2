/*
** Lifetimes: objects that end together, by one store.
**
** An object may belong to a lifetime, which is an object, too. Once that is over nobody uses what
** belongs to it any more, in no process: bindings look before each operation, waits before each
** sleep (shm/wait.c), and those who sleep are woken. The bodies stay as they are until the last
** reference is dropped.
**
** Each object counts a reference to its lifetime, so that what it looks at exists as long as it
** does. Which lifetime that is stands in its head (struct mpl_object_head), is said once, before
** anybody else knows the object, and never changes.
*/
#ifndef MPL_SHM_LIFE_H
#define MPL_SHM_LIFE_H

#include "shm/object.h"
#include "sync/eventcount.h"

struct mpl_life {
  struct mpl_ec ended;
  mpl_a64 over; /* 1: it is, for good */
};

void mpl_life_register(void);
enum mpl_status mpl_life_new(uint64_t *id);
void mpl_life_tx_give(struct mpl_life *life, uint64_t id);
enum mpl_status mpl_life_give(struct mpl_life *life, uint64_t id);
enum mpl_status mpl_life_end(struct mpl_life *life);

/* The lifetime that the object with this body belongs to; NULL if to none. */
static inline struct mpl_life *mpl_life_of(const void *body) {
  mpl_off life = mpl_load64_rlx(&((const struct mpl_object_head *)body - 1)->life);
  return life == 0 ? NULL : MPL_AT(struct mpl_life, life);
}

/* Whether the object with this body must not be used any more. */
static inline bool mpl_life_is_over(const void *body) {
  const struct mpl_life *life = mpl_life_of(body);
  return life != NULL && mpl_load64_acq(&life->over) != 0;
}

#endif
