/*
** The one shape of calls that wait.
**
** A binding puts what its operation needs into a struct whose first member is an mpl_blocking, and
** calls mpl_blocking_run with it. `attempt` tries once: it pushes the results and returns their
** number, or returns MPL_BLOCKING_AGAIN with `wait` filled. `give_up` is called if the wait ends
** without success, before its results are returned or its error is raised; it passes on a wake-up
** that may have been meant for this waiter, and releases what the operation holds. Between two
** attempts nothing is locked.
*/
#ifndef MPL_BIND_BLOCKING_H
#define MPL_BIND_BLOCKING_H

#include <lua.h>

#include "shm/wait.h"

#define MPL_BLOCKING_AGAIN (-1)

struct mpl_blocking {
  int (*attempt)(lua_State *L, struct mpl_blocking *op);
  void (*give_up)(struct mpl_blocking *op); /* may be NULL */
  int (*timed_out)(lua_State *L, struct mpl_blocking *op); /* pushes the results of a time-out */
  int64_t deadline;
  bool does_chores; /* see bind/chores.h */
  bool late; /* give_up is called because the time is up */
  struct mpl_wait wait;
};

int mpl_blocking_run(lua_State *L, struct mpl_blocking *op);
int mpl_blocking_late(lua_State *L, struct mpl_blocking *op);

#endif
