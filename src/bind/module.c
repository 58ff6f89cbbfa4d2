/*
** The list of C modules: see module.h.
*/
#include "bind/module.h"

#include <lauxlib.h>

static const luaL_Reg openers[] = {
  {NULL, NULL},
};

/* Enters every C module in package.preload; nothing is opened before a script requires it. */
void mpl_module_preload(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_setfuncs(L, openers, 0);
  lua_pop(L, 1);
}
