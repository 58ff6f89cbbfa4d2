/*
** q:task_done and q:join: items in progress, see ds/queue_taken.h.
*/
#include "ds/queue_taken.h"

#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/interrupt.h"
#include "bind/queue.h"

/* q:task_done(): the item that this process got first of those that it has not finished is
   finished. Raises if there is none, or the queue keeps no account of items. */
int mpl_queue_done(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  mpl_args_end(L, 1);
  if (q->kind == 0)
    return luaL_error(L, "task_done: this queue keeps no account of what was got from it; make it "
                         "with process.JoinableQueue() or process.Queue{lost = 'requeue'}");
  enum mpl_status s;
  while ((s = mpl_queue_taken_done(q)) == MPL_SIGNAL) mpl_interrupt_attend(L, NULL, NULL);
  if (s == MPL_MISUSE)
    return luaL_error(L, "task_done() called too many times: every item that was got is finished "
                         "already; call it once after each get");
  return s == MPL_OK ? 0 : mpl_args_raise(L, s);
}

struct join {
  struct mpl_blocking op;
  struct mpl_queue *q;
};

static int timed_out(lua_State *L, struct mpl_blocking *op) {
  (void)op;
  return mpl_queue_refused(L, "timeout");
}

static int attempt(lua_State *L, struct mpl_blocking *op) {
  enum mpl_status s = mpl_queue_join_try(((struct join *)op)->q, &op->wait, op->deadline);
  switch (s) {
    case MPL_OK: lua_pushboolean(L, 1); return 1;
    case MPL_BLOCK:
    case MPL_SIGNAL: return MPL_BLOCKING_AGAIN;
    case MPL_TIMEOUT: return timed_out(L, op);
    default: mpl_wait_done(&op->wait); return mpl_args_raise(L, s);
  }
}

/* q:join([timeout]): waits until every item that was ever put is finished. true; nil, "timeout". */
int mpl_queue_join(lua_State *L) {
  struct join j = {.op = {.attempt = attempt, .timed_out = timed_out, .does_chores = true},
                   .q = mpl_queue_self(L)};
  mpl_args_end(L, 2);
  j.op.deadline = mpl_args_timeout(L, 2);
  return mpl_blocking_run(L, &j.op);
}
