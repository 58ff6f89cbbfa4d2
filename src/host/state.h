/*
** The host's Lua state.
*/
#ifndef MPL_HOST_STATE_H
#define MPL_HOST_STATE_H

#include <lua.h>

lua_State *mpl_state_new(void);

#endif
