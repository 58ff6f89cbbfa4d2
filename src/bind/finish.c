/*
** See finish.h. The Lua function given to `at_exit` runs exit handlers and waits for the children;
** it is called by whoever comes first: the host after the script, os.exit, the closing of the state
** (the only notice that a stock Lua gives). For what bypasses all of them there is a handler of the
** C library, which at least leaves no child behind. A child that is a Process ends by _exit and
** sees none of this.
*/
#include "bind/finish.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "proc/exit.h"
#include "proc/signal.h"
#include "shm/slot.h"

/* Registry keys: the function, and the value whose finalizer calls it. */
static const char finish_key, sentinel_key;

/* Ends the children of an interrupted program and then the program, by SIGINT. */
void mpl_finish_interrupted(void) {
  mpl_signal_expect_last();
  fflush(NULL);
  mpl_exit_interrupt_children();
  mpl_signal_die_of_interrupt();
}

/* Last resort, at exit(): nothing of Lua is used. */
static void leave_no_child(void) {
  if (mpl_self == NULL) return;
  fflush(NULL);
  enum mpl_status s = mpl_exit_join_children();
  if (s == MPL_SIGNAL) mpl_finish_interrupted();
  if (s == MPL_DEADLOCK) mpl_exit_interrupt_children();
}

/* Calls the function given to `at_exit`, if there is one, with its arguments: whether the program
   was interrupted, and whether it failed. A lua_CFunction, to be called protected; an interrupt and
   errors pass through. */
int mpl_finish_run(lua_State *L) {
  lua_settop(L, 2);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &finish_key) != LUA_TFUNCTION) return 0;
  lua_insert(L, 1);
  lua_call(L, 2, 0);
  return 0;
}

/* __gc of the sentinel: the state is being closed, or the sentinel was replaced by a later one. */
static int state_closes(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sentinel_key);
  bool replaced = !lua_rawequal(L, 1, -1);
  lua_settop(L, 0);
  return replaced ? 0 : mpl_finish_run(L);
}

/* at_exit(f): f(interrupted, failed) is called before the program ends, perhaps more than once.
   Given again, it is called before the finalizers of all objects made until then. */
int mpl_finish_at_exit(lua_State *L) {
  static bool registered;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &finish_key);
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, state_closes);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &sentinel_key);
  if (!registered && atexit(leave_no_child) != 0) return luaL_error(L, "not enough memory");
  registered = true;
  return 0;
}
