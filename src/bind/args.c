/*
** Arguments: see args.h.
*/
#include "bind/args.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/os.h"

/* Timeouts beyond this many seconds are no timeouts: some 30 years. */
#define FOREVER 1e9

/* The deadline of a timeout in seconds at idx; nil or none is MPL_NEVER, 0 or less is 0: not to wait. */
int64_t mpl_args_timeout(lua_State *L, int idx) {
  if (lua_isnoneornil(L, idx)) return MPL_NEVER;
  lua_Number s = luaL_checknumber(L, idx);
  luaL_argcheck(L, !isnan(s), idx, "a timeout is a number of seconds, not NaN");
  if (s <= 0) return 0;
  if (s > FOREVER) return MPL_NEVER;
  return mpl_os_now() + (int64_t)(s * (lua_Number)MPL_NS_PER_S);
}

/* The deadline of Python's (block, timeout) at idx and idx + 1. A number in the first place is the
   timeout; block false is 0, whatever the timeout. */
int64_t mpl_args_block(lua_State *L, int idx) {
  int type = lua_type(L, idx);
  if (type == LUA_TNUMBER) {
    luaL_argcheck(L, lua_isnoneornil(L, idx + 1), idx + 1, "the timeout was given already");
    return mpl_args_timeout(L, idx);
  }
  if (type != LUA_TBOOLEAN && type != LUA_TNIL && type != LUA_TNONE)
    luaL_typeerror(L, idx, "boolean (block) or number (timeout)");
  int64_t deadline = mpl_args_timeout(L, idx + 1);
  return type == LUA_TBOOLEAN && !lua_toboolean(L, idx) ? 0 : deadline;
}

/* Raises if there are arguments beyond `last`: a slip that would go unnoticed otherwise. */
void mpl_args_end(lua_State *L, int last) {
  if (lua_gettop(L) > last) luaL_argerror(L, last + 1, "no such argument");
}

/* What a status says that no call returns as a value; errno counts for MPL_ERRNO. */
const char *mpl_args_text(enum mpl_status status) {
  switch (status) {
    case MPL_NOMEM: return "out of shared memory (MPL_SHM_SIZE raises the limit)";
    case MPL_NOPRIVATE: return "not enough memory";
    case MPL_NOSLOT: return "too many processes in this program";
    case MPL_DAMAGED: return "object damaged: recovery after a death has failed";
    case MPL_GONE: return "no such shared object any more";
    case MPL_ERRNO: return strerror(errno);
    default: return "unexpected status";
  }
}

/* Raises it. */
int mpl_args_raise(lua_State *L, enum mpl_status status) {
  return luaL_error(L, "%s", mpl_args_text(status));
}
