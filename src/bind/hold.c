/*
** See hold.h. A held lock is a value whose closing releases it, once. It also does so when it is
** collected, because an interrupt may strike after the lock was taken and before the script has the
** value. In a forked child the inherited value does nothing: the lock is its parent's.
*/
#include "bind/hold.h"

#include <lauxlib.h>
#include <stdbool.h>

#include "bind/args.h"
#include "bind/class.h"
#include "shm/slot.h"

struct held {
  uint64_t holder; /* identity of the process; 0: released */
};

static int held_close(lua_State *L) {
  struct held *h = mpl_class_self(L, 1);
  bool mine = h->holder == mpl_slot_ident(mpl_self);
  h->holder = 0;
  if (!mine) return 0;
  lua_getiuservalue(L, 1, 1);
  lua_getfield(L, -1, "release");
  lua_CFunction release = lua_tocfunction(L, -1);
  lua_pop(L, 1);
  lua_replace(L, 1);
  lua_settop(L, 1);
  return release(L); /* not by lua_call, for which memory may be missing */
}

static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__close", held_close}, {"__gc", held_close}, {NULL, NULL}};
static const struct mpl_class held_class = {"Held", no_methods, metamethods};

void mpl_hold_open(lua_State *L) {
  mpl_class_register(L, &held_class);
}

/* With the lock at 1 and its timeout at 2: pushes the held value, or nil, and what `acquire`
   said. */
static void hold(lua_State *L) {
  struct held *h = mpl_class_new(L, &held_class, sizeof *h, 1);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  lua_getfield(L, 1, "acquire");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 2);
  bool taken = lua_toboolean(L, -2);
  if (taken) {
    h->holder = mpl_slot_ident(mpl_self);
  } else {
    lua_pushnil(L);
    lua_replace(L, -4);
  }
  lua_remove(L, -2);
}

/* lock:hold([timeout]): a value that releases when it is closed, and "abandoned" where acquire says
   so; nil, "timeout". */
int mpl_hold_hold(lua_State *L) {
  mpl_class_self(L, 1);
  mpl_args_end(L, 2);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TNUMBER);
  hold(L);
  return lua_isnil(L, -1) ? (lua_pop(L, 1), 1) : 2;
}

static int with_done(lua_State *L, int status, lua_KContext context) {
  (void)status;
  int first = (int)context; /* the held value; the results of f follow it */
  int n = lua_gettop(L) - first;
  lua_closeslot(L, first);
  return n;
}

/* lock:with(f, ...): f's results; f runs holding the lock, which is released whatever happens. */
int mpl_hold_with(lua_State *L) {
  mpl_class_self(L, 1);
  mpl_args_callable(L, 2);
  int n = lua_gettop(L);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  lua_rotate(L, 1, 2); /* lock, nil, lock, f, ... */
  hold(L);
  lua_pop(L, 1);
  lua_replace(L, 3); /* the held value where the lock was */
  lua_toclose(L, 3);
  return with_done(L, LUA_OK, (lua_callk(L, n - 2, LUA_MULTRET, 3, with_done), 3));
}
