/*
** Chores: see chores.h.
*/
#include "bind/chores.h"

#include <lauxlib.h>

#include "base/os.h"
#include "bind/args.h"
#include "bind/interrupt.h"
#include "shm/slot.h"

/* How long a wait goes on without chores, while there are any. */
#define SLICE (5 * 1000 * 1000LL)

/* Registry key: the function. */
static const char chores_key;

static bool any;      /* there is one */
static uint64_t busy; /* identity of the process that is calling it: not of one that it forks */

/* chores(f): f is called by calls that wait; nil for nothing. It handles its own errors. */
static int set_chores(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) luaL_checktype(L, 1, LUA_TFUNCTION);
  mpl_args_end(L, 1);
  lua_settop(L, 1);
  any = !lua_isnil(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &chores_key);
  return 0;
}

/* Whether a call that waits has to do chores: not one that a chore makes. */
static bool are_due(void) {
  return any && busy != mpl_slot_ident(mpl_self) && !mpl_interrupt_held();
}

/* When a wait is to be broken off: at its deadline, or sooner for chores. */
int64_t mpl_chores_until(int64_t deadline) {
  if (!are_due()) return deadline;
  int64_t slice = mpl_os_now() + SLICE;
  return slice < deadline ? slice : deadline;
}

/* Does the chores and returns n, the number of a call's results on top of the stack. An interrupt
   that ends the chores does not keep the call from returning: it strikes once more then. */
int mpl_chores_then(lua_State *L, int n) {
  if (!are_due() || !lua_checkstack(L, LUA_MINSTACK)) return n;
  busy = mpl_slot_ident(mpl_self);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &chores_key);
  int status = lua_pcall(L, 0, 0, 0);
  busy = 0;
  if (status != LUA_OK) {
    bool interrupted = mpl_interrupt_is(L, -1);
    lua_pop(L, 1);
    if (interrupted) mpl_interrupt_again();
  }
  return n;
}

static const luaL_Reg functions[] = {{"chores", set_chores}, {NULL, NULL}};

/* Puts the function into the module table on top. */
void mpl_chores_open(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
