/*
** Condition variables: a lock, and a list of those who wait to be notified.
**
** Who waits enters the list while it holds the lock, and only then releases it. A notification is
** given to the first in the list who live and have none yet; so it is never remembered, never
** given to somebody who came later, and never eaten by one whose time is up: under the guard that
** one either has it or is not in the list any more. A waiter that died is taken out by whoever
** comes along, and a notification that it had and cannot use goes to the next of those who were
** there when it was given.
**
** The list is the one place where mpl keeps waiters in shared memory: to notify exactly n of them
** one has to know them. It is changed in sections only, so that a death leaves it whole.
*/
#ifndef MPL_DS_CONDITION_H
#define MPL_DS_CONDITION_H

#include "ds/rlock.h"

struct mpl_condition {
  MPL_ALIGNED struct mpl_robust guard; /* of the list */
  mpl_a64 first, last;  /* waiters (struct mpl_condition_waiter), 0: none */
  mpl_a64 lock_message; /* a message that holds the reference to the lock (shm/message.h) */
  mpl_a64 entered;      /* how many have ever come */
  mpl_a64 seen_deaths;  /* how many had been cleaned up after when no dead was left in the list */
  MPL_ALIGNED struct mpl_ec notified;
};

/* A waiter; its block is owned by the list. */
struct mpl_condition_waiter {
  mpl_a64 next, previous;
  mpl_a64 ident;    /* of its process */
  mpl_a64 number;   /* 1 for the first who has ever come, and so on */
  mpl_a64 notified; /* 0: not; else who was the last to have come when the notification was given */
};

void mpl_condition_register(void);
enum mpl_status mpl_condition_new(uint64_t lock_id, uint64_t *id);
uint64_t mpl_condition_lock(const struct mpl_condition *c);

enum mpl_status mpl_condition_enter(struct mpl_condition *c, mpl_off *waiter);
enum mpl_status mpl_condition_try(struct mpl_condition *c, mpl_off waiter, struct mpl_wait *w);
enum mpl_status mpl_condition_leave(struct mpl_condition *c, mpl_off waiter, bool pass_on);
enum mpl_status mpl_condition_notify(struct mpl_condition *c, uint64_t n);

#endif
