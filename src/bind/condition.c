/*
** process.Condition
**
** The lock is an object of its own, to which the condition refers: here it is found by its id, so
** that it works in a process that was sent the condition alone.
*/
#include "ds/condition.h"

#include "bind/acquire.h"
#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/handle.h"
#include "bind/hold.h"
#include "bind/module.h"
#include "proc/child.h"
#include "proc/signal.h"

static const struct mpl_class condition_class;

static struct mpl_condition *self(lua_State *L) {
  return mpl_handle_body(L, &condition_class);
}

static bool is_recursive(const struct mpl_condition *c) {
  return mpl_object_type_of(mpl_condition_lock(c)) == MPL_TYPE_RLOCK;
}

/* Its lock; an RLock begins with one. */
static struct mpl_lock *lock_of(const struct mpl_condition *c) {
  uint64_t id = mpl_condition_lock(c);
  return mpl_object_body(id, mpl_object_type_of(id));
}

/* The same; raises if the caller does not hold it. */
static struct mpl_lock *held_lock(lua_State *L, const struct mpl_condition *c, const char *what) {
  struct mpl_lock *lock = lock_of(c);
  if (!mpl_lock_is_held_by(lock, 0))
    luaL_error(L, "Condition: %s without its lock (acquire it first)", what);
  return lock;
}

/*
** Making
*/

/* Pushes the id of a new RLock, as a handle keeps it, and labels it as the condition will be. */
static uint64_t new_lock(lua_State *L) {
  uint64_t id;
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_RLOCK);
  enum mpl_status s = mpl_rlock_new(&id);
  if (s != MPL_OK) mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_RLOCK, id);
  mpl_handle_label(L, id, 1);
  return id;
}

static uint64_t given_lock(lua_State *L, int idx) {
  uint64_t id = mpl_handle_id(L, idx);
  enum mpl_object_type type = id == 0 ? MPL_TYPE_NONE : mpl_object_type_of(id);
  luaL_argexpected(L, type == MPL_TYPE_LOCK || type == MPL_TYPE_RLOCK, 1, "Lock or RLock");
  return id;
}

/* Condition([lock | {lock=, name=}]): with a Lock or an RLock, by default an RLock of its own. */
static int condition_new(lua_State *L) {
  static const char *const known[] = {"lock", "name", NULL};
  uint64_t id, lock;
  mpl_args_end(L, 1);
  lua_settop(L, 1);
  if (lua_istable(L, 1)) {
    mpl_args_options(L, 1, known);
    lua_getfield(L, 1, "lock");
  } else {
    lua_pushvalue(L, 1);
  }
  bool own = lua_isnil(L, 2);
  lock = own ? new_lock(L) : given_lock(L, 2);
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_CONDITION);
  if (own) mpl_handle_part(L, lock);
  enum mpl_status s = mpl_condition_new(lock, &id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_CONDITION, id);
  mpl_handle_label(L, id, 1);
  return 1;
}

/*
** The lock's calls
*/

static int condition_acquire(lua_State *L) {
  struct mpl_condition *c = self(L);
  return mpl_acquire(L, lock_of(c), is_recursive(c) ? &mpl_acquire_rlock : &mpl_acquire_lock,
                     mpl_acquire_deadline(L));
}

static int condition_release(lua_State *L) {
  struct mpl_condition *c = self(L);
  struct mpl_lock *lock = lock_of(c);
  mpl_args_end(L, 1);
  enum mpl_status s = is_recursive(c) ? mpl_rlock_release((struct mpl_rlock *)lock, 0)
                                      : mpl_lock_release(lock);
  if (s == MPL_MISUSE)
    return luaL_error(L, "Condition: release of a lock that is not held (acquire it first)");
  return 0;
}

static int condition_locked(lua_State *L) {
  lua_pushboolean(L, mpl_lock_info_of(lock_of(self(L))).holder != 0);
  return 1;
}

static int condition_abandoned(lua_State *L) {
  lua_pushboolean(L, mpl_lock_info_of(lock_of(self(L))).abandoned);
  return 1;
}

/*
** Waiting
*/

struct condition_wait {
  struct mpl_blocking op;
  struct mpl_condition *c;
  struct mpl_lock *lock;
  uint64_t depth; /* of an RLock, to be restored; 0: a Lock */
  mpl_off waiter;
  enum mpl_status end; /* once the time is up */
};

static void let_go(struct condition_wait *cw) {
  cw->depth = is_recursive(cw->c) ? mpl_rlock_depth((struct mpl_rlock *)cw->lock) : 0;
  mpl_lock_release(cw->lock);
}

/* Takes the lock again, also if an interrupt is pending: the caller's code relies on having it.
   MPL_OK, MPL_RECOVERED; MPL_DEADLOCK or MPL_ENDED without it. */
static enum mpl_status take_again(struct condition_wait *cw) {
  struct mpl_wait w = {.deaf = MPL_SIGNAL_INTERRUPT | MPL_SIGNAL_TASK};
  enum mpl_status s, step = MPL_OK;
  while ((s = mpl_lock_try(cw->lock, 0, &w)) == MPL_BLOCK && step != MPL_DEADLOCK &&
         step != MPL_ENDED) {
    step = mpl_wait_step(&w, MPL_NEVER);
    if (step == MPL_SIGNAL && mpl_signal_take(MPL_SIGNAL_CHILD)) mpl_child_reap();
  }
  if (s == MPL_BLOCK) mpl_lock_pass_on(cw->lock);
  mpl_wait_done(&w);
  if (s == MPL_BLOCK) return step;
  if (cw->depth > 0) mpl_rlock_set_depth((struct mpl_rlock *)cw->lock, cw->depth);
  return s;
}

/* Ends the wait that came to `s` by taking the lock again: the results, or an error. */
static int finish(lua_State *L, struct condition_wait *cw, enum mpl_status s) {
  enum mpl_status again = take_again(cw);
  if (again == MPL_DEADLOCK) return mpl_args_deadlock(L);
  if (again == MPL_ENDED) return mpl_args_refuse(L, "wait", mpl_args_text(again));
  if (s != MPL_OK && s != MPL_TIMEOUT) return mpl_args_raise(L, s);
  lua_pushboolean(L, s == MPL_OK);
  if (s == MPL_TIMEOUT) lua_pushliteral(L, "timeout");
  else if (again == MPL_RECOVERED) lua_pushliteral(L, "abandoned");
  else return 1;
  return 2;
}

static int wait_attempt(lua_State *L, struct mpl_blocking *op) {
  struct condition_wait *cw = (struct condition_wait *)op;
  enum mpl_status s = mpl_condition_try(cw->c, cw->waiter, &op->wait);
  if (s == MPL_BLOCK) return MPL_BLOCKING_AGAIN;
  if (s == MPL_OK) s = mpl_condition_leave(cw->c, cw->waiter, false);
  mpl_wait_done(&op->wait);
  return finish(L, cw, s);
}

/* An error is raised with the lock held, as the code around the wait expects. When the time is up
   there may be a notification after all, which then counts. */
static void wait_give_up(struct mpl_blocking *op) {
  struct condition_wait *cw = (struct condition_wait *)op;
  cw->end = mpl_condition_leave(cw->c, cw->waiter, !op->late);
  mpl_wait_done(&op->wait);
  if (!op->late) take_again(cw);
}

static int wait_timed_out(lua_State *L, struct mpl_blocking *op) {
  struct condition_wait *cw = (struct condition_wait *)op;
  return finish(L, cw, cw->end);
}

/* Waits for a notification until the deadline; the caller holds the lock. Pushes the results. */
static int wait(lua_State *L, struct mpl_condition *c, int64_t deadline) {
  struct condition_wait cw = {.op = {.attempt = wait_attempt,
                                     .give_up = wait_give_up,
                                     .timed_out = wait_timed_out,
                                     .deadline = deadline},
                              .c = c,
                              .lock = held_lock(L, c, "wait")};
  enum mpl_status s = mpl_condition_enter(c, &cw.waiter);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  let_go(&cw);
  return mpl_blocking_run(L, &cw.op);
}

/* c:wait([timeout]): releases the lock, waits until it is notified, takes the lock again: true;
   false, "timeout". */
static int condition_wait(lua_State *L) {
  struct mpl_condition *c = self(L);
  mpl_args_end(L, 2);
  return wait(L, c, mpl_args_timeout(L, 2));
}

/* c:wait_for(pred[, timeout]): waits until pred() is true, looking at each notification: its
   value. When the time is up: its last value and "timeout". */
static int condition_wait_for(lua_State *L) {
  struct mpl_condition *c = self(L);
  mpl_args_callable(L, 2);
  mpl_args_end(L, 3);
  int64_t deadline = mpl_args_timeout(L, 3);
  held_lock(L, c, "wait_for");
  for (bool late = false;; ) {
    lua_settop(L, 3);
    lua_pushvalue(L, 2);
    lua_call(L, 0, 1);
    if (lua_toboolean(L, 4)) return 1;
    if (late) return lua_pushliteral(L, "timeout"), 2;
    wait(L, c, deadline);
    late = !lua_toboolean(L, 5);
  }
}

/*
** Notifying
*/

/* c:notify([n]): wakes n of those who wait, by default 1. */
static int condition_notify(lua_State *L) {
  struct mpl_condition *c = self(L);
  lua_Integer n = luaL_optinteger(L, 2, 1);
  mpl_args_end(L, 2);
  held_lock(L, c, "notify");
  if (n > 0 && mpl_condition_notify(c, (uint64_t)n) != MPL_OK)
    return mpl_args_raise(L, MPL_DAMAGED);
  return 0;
}

/* c:notify_all(): wakes all who wait. */
static int condition_notify_all(lua_State *L) {
  struct mpl_condition *c = self(L);
  mpl_args_end(L, 1);
  held_lock(L, c, "notify_all");
  if (mpl_condition_notify(c, UINT64_MAX) != MPL_OK) return mpl_args_raise(L, MPL_DAMAGED);
  return 0;
}

static int condition_tostring(lua_State *L) {
  char name[MPL_SLOT_NAME];
  struct mpl_condition *c = self(L);
  mpl_lock_holder_name(lock_of(c), name);
  lua_pushfstring(L, "<Condition(%s(owner=%s))>", is_recursive(c) ? "RLock" : "Lock", name);
  return 1;
}

static const luaL_Reg methods[] = {{"acquire", condition_acquire},
                                   {"release", condition_release},
                                   {"locked", condition_locked},
                                   {"abandoned", condition_abandoned},
                                   {"hold", mpl_hold_hold},
                                   {"with", mpl_hold_with},
                                   {"wait", condition_wait},
                                   {"wait_for", condition_wait_for},
                                   {"notify", condition_notify},
                                   {"notify_all", condition_notify_all},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", condition_tostring}, {NULL, NULL}};

static const struct mpl_class condition_class = {"Condition", methods, metamethods};

/* Registers the class and puts its constructor into the module table on top. */
void mpl_condition_open(lua_State *L) {
  mpl_condition_register();
  mpl_handle_class(L, MPL_TYPE_CONDITION, &condition_class);
  lua_pushcfunction(L, condition_new);
  lua_setfield(L, -2, "Condition");
}
