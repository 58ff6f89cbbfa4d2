/*
** Acquiring: see acquire.h.
*/
#include "bind/acquire.h"

#include "bind/args.h"
#include "bind/blocking.h"

struct acquire {
  struct mpl_blocking op;
  void *body;
  const struct mpl_acquire_kind *kind;
};

/* The results of having it. */
static int acquired(lua_State *L, enum mpl_status s) {
  lua_pushboolean(L, 1);
  if (s != MPL_RECOVERED) return 1;
  lua_pushliteral(L, "abandoned");
  return 2;
}

static int attempt(lua_State *L, struct mpl_blocking *op) {
  struct acquire *a = (struct acquire *)op;
  enum mpl_status s = a->kind->attempt(a->body, &op->wait);
  if (s == MPL_BLOCK) return MPL_BLOCKING_AGAIN;
  mpl_wait_done(&op->wait);
  return acquired(L, s);
}

static void give_up(struct mpl_blocking *op) {
  struct acquire *a = (struct acquire *)op;
  a->kind->pass_on(a->body);
}

/* A `pass_on` for what begins with a lock. */
void mpl_acquire_pass_lock_on(void *body) {
  mpl_lock_pass_on(body);
}

/* The deadline of x:acquire([block][, timeout]). */
int64_t mpl_acquire_deadline(lua_State *L) {
  mpl_args_end(L, 3);
  return lua_gettop(L) == 1 ? MPL_NEVER : mpl_args_block(L, 2);
}

/* Acquires until the deadline. Pushes true; true, "abandoned" if a lock's last holder ended without
   releasing it; false, "timeout". */
int mpl_acquire(lua_State *L, void *body, const struct mpl_acquire_kind *kind, int64_t deadline) {
  struct acquire a = {.op = {.attempt = attempt,
                             .give_up = give_up,
                             .timed_out = mpl_blocking_late,
                             .deadline = deadline},
                      .body = body,
                      .kind = kind};
  return mpl_blocking_run(L, &a.op);
}
