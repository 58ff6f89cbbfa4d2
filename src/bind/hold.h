/*
** `hold` and `with`, for everything that has `acquire` and `release`.
*/
#ifndef MPL_BIND_HOLD_H
#define MPL_BIND_HOLD_H

#include <lua.h>

void mpl_hold_open(lua_State *L);
int mpl_hold_hold(lua_State *L);
int mpl_hold_with(lua_State *L);

#endif
