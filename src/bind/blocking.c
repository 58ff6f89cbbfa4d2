/*
** Calls that wait: see blocking.h.
*/
#include "bind/blocking.h"

#include "bind/args.h"
#include "bind/chores.h"
#include "bind/interrupt.h"

/* Until its end the slot says what is waited for: should the process die here, a wake-up that it
   has not passed on goes to the others all the same. */
static void give_up(void *arg) {
  struct mpl_blocking *op = arg;
  if (op->give_up != NULL) op->give_up(op);
  mpl_wait_done(&op->wait);
}

/* Returns the n results of the operation, which has ended. */
static int finish(lua_State *L, const struct mpl_blocking *op, int n) {
  return op->does_chores ? mpl_chores_then(L, n) : n;
}

/* Begins a wait, or a slice of one, and says when that ends. */
static int64_t begin(struct mpl_blocking *op) {
  op->wait = (struct mpl_wait)MPL_WAIT_INIT;
  return op->does_chores ? mpl_chores_until(op->deadline) : op->deadline;
}

/* Attempts the operation until it succeeds or its deadline passes. Raises if an interrupt comes, if
   the wait could not end, or if the manager of the object is shut down. */
int mpl_blocking_run(lua_State *L, struct mpl_blocking *op) {
  int64_t until = begin(op);
  op->late = false;
  for (;;) {
    int n = op->attempt(L, op);
    if (n >= 0) {
      mpl_wait_done(&op->wait);
      return finish(L, op, n);
    }
    switch (mpl_wait_step(&op->wait, until)) {
      case MPL_SIGNAL: mpl_interrupt_attend(L, give_up, op); break;
      case MPL_DEADLOCK: give_up(op); return mpl_args_deadlock(L);
      case MPL_ENDED: give_up(op); return mpl_args_refuse(L, "wait", mpl_args_text(MPL_ENDED));
      case MPL_TIMEOUT:
        if (until < op->deadline) {
          mpl_wait_done(&op->wait);
          mpl_chores_then(L, 0);
          until = begin(op);
          break;
        }
        op->late = true;
        give_up(op);
        return finish(L, op, op->timed_out(L, op));
      default: break;
    }
  }
}

/* A `timed_out` for predicates: pushes false, "timeout". */
int mpl_blocking_late(lua_State *L, struct mpl_blocking *op) {
  (void)op;
  lua_pushboolean(L, 0);
  lua_pushliteral(L, "timeout");
  return 2;
}
