/*
** process.RLock
*/
#include "ds/rlock.h"

#include "bind/acquire.h"
#include "bind/args.h"
#include "bind/handle.h"
#include "bind/hold.h"
#include "bind/module.h"

static const struct mpl_class rlock_class;

static struct mpl_rlock *self(lua_State *L) {
  return mpl_handle_body(L, &rlock_class);
}

static enum mpl_status attempt(void *body, struct mpl_wait *w) {
  return mpl_rlock_try(body, 0, w);
}

const struct mpl_acquire_kind mpl_acquire_rlock = {attempt, mpl_acquire_pass_lock_on};

/* RLock([{name=}]): a lock that is free, and that its holder may take again. */
static int rlock_new(lua_State *L) {
  static const char *const known[] = {"name", NULL};
  mpl_args_end(L, 1);
  mpl_args_options(L, 1, known);
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_RLOCK);
  uint64_t id;
  enum mpl_status s = mpl_rlock_new(&id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_RLOCK, id);
  mpl_handle_label(L, id, 1);
  return 1;
}

/* rlock:acquire([block][, timeout]): true; true, "abandoned" if the last holder ended without
   releasing it; false, "timeout". */
static int rlock_acquire(lua_State *L) {
  struct mpl_rlock *rlock = self(L);
  return mpl_acquire(L, rlock, &mpl_acquire_rlock, mpl_acquire_deadline(L));
}

/* rlock:release(): once for each acquire; raises if the caller does not hold it. */
static int rlock_release(lua_State *L) {
  struct mpl_rlock *rlock = self(L);
  mpl_args_end(L, 1);
  if (mpl_rlock_release(rlock, 0) == MPL_MISUSE)
    return luaL_error(L, "RLock: release of a lock that this process does not hold "
                         "(only its holder releases it)");
  return 0;
}

/* rlock:locked(): whether somebody, dead or alive, holds it. */
static int rlock_locked(lua_State *L) {
  lua_pushboolean(L, mpl_lock_info_of(&self(L)->lock).holder != 0);
  return 1;
}

/* rlock:abandoned(): as of Lock. */
static int rlock_abandoned(lua_State *L) {
  lua_pushboolean(L, mpl_lock_info_of(&self(L)->lock).abandoned);
  return 1;
}

static int rlock_tostring(lua_State *L) {
  struct mpl_rlock *rlock = self(L);
  char name[MPL_SLOT_NAME];
  uint64_t depth = mpl_rlock_depth(rlock);
  mpl_lock_holder_name(&rlock->lock, name);
  bool locked = mpl_lock_info_of(&rlock->lock).holder != 0;
  lua_pushfstring(L, "<RLock(%s, %I)>", name, (LUAI_UACINT)(locked ? depth : 0));
  return 1;
}

static const luaL_Reg methods[] = {{"acquire", rlock_acquire},   {"release", rlock_release},
                                   {"locked", rlock_locked},     {"abandoned", rlock_abandoned},
                                   {"hold", mpl_hold_hold},      {"with", mpl_hold_with},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", rlock_tostring}, {NULL, NULL}};

static const struct mpl_class rlock_class = {"RLock", methods, metamethods};

/* Registers the class and puts its constructor into the module table on top. */
void mpl_rlock_open(lua_State *L) {
  mpl_rlock_register();
  mpl_handle_class(L, MPL_TYPE_RLOCK, &rlock_class);
  lua_pushcfunction(L, rlock_new);
  lua_setfield(L, -2, "RLock");
}
