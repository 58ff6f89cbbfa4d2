/*
** Small questions to the system: clocks, pids, processors, random bytes, parameters of functions.
*/
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/os.h"
#include "bind/args.h"
#include "bind/chores.h"
#include "bind/interrupt.h"
#include "bind/module.h"
#include "shm/recover.h"
#include "shm/slot.h"
#include "sync/eventcount.h"

/* now(): monotonic seconds. */
static int system_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)mpl_os_now() / (lua_Number)MPL_NS_PER_S);
  return 1;
}

/* sleep(seconds): 0 or less does not sleep. An interrupt raises; other signals do not shorten
   it. */
static int system_sleep(lua_State *L) {
  luaL_checktype(L, 1, LUA_TNUMBER);
  mpl_args_end(L, 1);
  int64_t deadline = mpl_args_timeout(L, 1);
  int64_t until = mpl_chores_until(deadline);
  for (int64_t nap = 0;;) {
    struct mpl_os_word bell = {&mpl_self->doorbell, mpl_load32_acq(&mpl_self->doorbell)};
    mpl_interrupt_attend(L, NULL, NULL);
    nap = mpl_recover_watch(nap);
    if (mpl_ec_sleep(&bell, 1, until, nap) != MPL_TIMEOUT) continue;
    mpl_chores_then(L, 0);
    if (until == deadline) return 0;
    until = mpl_chores_until(deadline);
  }
}

static int system_getpid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

static int system_getppid(lua_State *L) {
  lua_pushinteger(L, getppid());
  return 1;
}

/* cpu_count(): processors that this process may use, at least 1. */
static int system_cpu_count(lua_State *L) {
  lua_pushinteger(L, mpl_limits_cpus());
  return 1;
}

/* random(n): n random bytes. */
static int system_random(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 0 && n <= 4096, 1, "0 to 4096 bytes");
  char bytes[4096];
  if (mpl_os_random(bytes, (size_t)n) != 0) return mpl_args_raise(L, MPL_ERRNO);
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

/* is_interrupt(v): whether v is the error by which a Ctrl-C was made known last. */
static int system_is_interrupt(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, mpl_interrupt_is(L, 1));
  return 1;
}

/* unbroken(f, ...): as pcall, but an interrupt cannot strike between two instructions of f, only in
   its waits. One that came meanwhile strikes afterwards, when all is done. */
static int system_unbroken(lua_State *L) {
  luaL_checkany(L, 1);
  bool before = mpl_interrupt_hold(true);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  mpl_interrupt_hold(before);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

/* call(f, ...): f's results. What a library function says of its caller (invalid order function
   ...) then names no place in the module's own code. */
static int system_call(lua_State *L) {
  luaL_checkany(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* terminal(fd): the columns of the terminal behind a descriptor, 80 if it does not know; nil if
   there is none. */
static int system_terminal(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  struct winsize size;
  if (!isatty(fd)) return lua_pushnil(L), 1;
  bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  return 1;
}

/* parameters(f): the names of a Lua function's parameters and whether more may follow; nothing
   for a C function. */
static int system_parameters(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  if (lua_iscfunction(L, 1)) return 0;
  lua_Debug d;
  lua_pushvalue(L, 1);
  lua_getinfo(L, ">u", &d);
  lua_createtable(L, d.nparams, 0);
  for (int i = 1; i <= d.nparams; i++) {
    lua_pushvalue(L, 1);
    const char *name = lua_getlocal(L, NULL, i); /* of the function on top */
    lua_pop(L, 1);
    lua_pushstring(L, name != NULL ? name : "?");
    lua_rawseti(L, -2, i);
  }
  lua_pushboolean(L, d.isvararg);
  return 2;
}

static const luaL_Reg functions[] = {{"now", system_now},
                                     {"sleep", system_sleep},
                                     {"is_interrupt", system_is_interrupt},
                                     {"call", system_call},
                                     {"unbroken", system_unbroken},
                                     {"terminal", system_terminal},
                                     {"getpid", system_getpid},
                                     {"getppid", system_getppid},
                                     {"cpu_count", system_cpu_count},
                                     {"random", system_random},
                                     {"parameters", system_parameters},
                                     {NULL, NULL}};

/* Puts the functions into the module table on top. */
void mpl_system_open(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
