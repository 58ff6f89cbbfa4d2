/*
** process.Lock
*/
#include "ds/lock.h"

#include "bind/acquire.h"
#include "bind/args.h"
#include "bind/handle.h"
#include "bind/hold.h"
#include "bind/module.h"

static const struct mpl_class lock_class;

static struct mpl_lock *self(lua_State *L) {
  return mpl_handle_body(L, &lock_class);
}

/* Lock([{name=}]): a lock that is free. */
static int lock_new(lua_State *L) {
  static const char *const known[] = {"name", NULL};
  mpl_args_end(L, 1);
  mpl_args_options(L, 1, known);
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_LOCK);
  uint64_t id;
  enum mpl_status s = mpl_lock_new(&id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_LOCK, id);
  mpl_handle_label(L, id, 1);
  return 1;
}

static enum mpl_status attempt(void *body, struct mpl_wait *w) {
  return mpl_lock_try(body, 0, w);
}

const struct mpl_acquire_kind mpl_acquire_lock = {attempt, mpl_acquire_pass_lock_on};

/* lock:acquire([block][, timeout]): true; true, "abandoned" if the last holder ended without
   releasing it; false, "timeout". */
static int lock_acquire(lua_State *L) {
  struct mpl_lock *lock = self(L);
  int64_t deadline = mpl_acquire_deadline(L);
  if (!mpl_lock_grab(lock, 0)) return mpl_acquire(L, lock, &mpl_acquire_lock, deadline);
  lua_pushboolean(L, 1); /* most locks are free */
  return 1;
}

/* lock:release(): frees it, whoever holds it; raises if nobody does. */
static int lock_release(lua_State *L) {
  struct mpl_lock *lock = self(L);
  mpl_args_end(L, 1);
  if (mpl_lock_release(lock) == MPL_MISUSE)
    return luaL_error(L, "Lock: release of an unlocked lock (acquire it first)");
  return 0;
}

/* lock:locked(): whether somebody, dead or alive, holds it. */
static int lock_locked(lua_State *L) {
  lua_pushboolean(L, mpl_lock_info_of(self(L)).holder != 0);
  return 1;
}

/* lock:abandoned(): whether its holder ended without releasing it, or the present holder took it
   over from such a one. */
static int lock_abandoned(lua_State *L) {
  lua_pushboolean(L, mpl_lock_info_of(self(L)).abandoned);
  return 1;
}

static int lock_tostring(lua_State *L) {
  char name[MPL_SLOT_NAME];
  mpl_lock_holder_name(self(L), name);
  lua_pushfstring(L, "<Lock(owner=%s)>", name);
  return 1;
}

static const luaL_Reg methods[] = {{"acquire", lock_acquire},     {"release", lock_release},
                                   {"locked", lock_locked},       {"abandoned", lock_abandoned},
                                   {"hold", mpl_hold_hold},       {"with", mpl_hold_with},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", lock_tostring}, {NULL, NULL}};

static const struct mpl_class lock_class = {"Lock", methods, metamethods};

/* Registers the class and puts its constructor into the module table on top. */
void mpl_lock_open(lua_State *L) {
  mpl_lock_register();
  mpl_handle_class(L, MPL_TYPE_LOCK, &lock_class);
  lua_pushcfunction(L, lock_new);
  lua_setfield(L, -2, "Lock");
}
