/*
** The end of a program: what has to happen before the Lua state goes, however it goes.
*/
#ifndef MPL_BIND_FINISH_H
#define MPL_BIND_FINISH_H

#include <lua.h>
#include <stdbool.h>

int mpl_finish_at_exit(lua_State *L);
int mpl_finish_run(lua_State *L);
void mpl_finish_interrupted(void);

#endif
