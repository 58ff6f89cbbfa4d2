/*
** Chores: what is to be done for the script when it calls into the module and waits: callbacks of
** pools. There is no thread that could do it meanwhile.
**
** Whoever has chores puts one function here, and takes it away when there are none. The calls that
** wait for something from outside (sleep, join, wait, an event, a barrier, what a queue or a pipe
** brings, a change of a dict) do them before they return, and meanwhile from time to time, since a
** chore may be what they wait for. Not those that take a lock: a chore may need the same lock.
*/
#ifndef MPL_BIND_CHORES_H
#define MPL_BIND_CHORES_H

#include <lua.h>
#include <stdint.h>

int64_t mpl_chores_until(int64_t deadline);
int mpl_chores_then(lua_State *L, int n);
void mpl_chores_open(lua_State *L);

#endif
