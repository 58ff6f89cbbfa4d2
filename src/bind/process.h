/*
** Children as other bindings see them.
*/
#ifndef MPL_BIND_PROCESS_H
#define MPL_BIND_PROCESS_H

#include <lua.h>

struct mpl_child *mpl_process_child(lua_State *L, int idx);

#endif
