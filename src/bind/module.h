/*
** The list of C modules: every luaopen function of this layer is entered in module.c and nowhere
** else. The host makes them known to `require` with mpl_module_preload; under a stock Lua the same
** functions are found by name in process.so.
*/
#ifndef MPL_BIND_MODULE_H
#define MPL_BIND_MODULE_H

#include <lua.h>

void mpl_module_preload(lua_State *L);

#endif
