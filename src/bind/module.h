/*
** The list of C modules, and what opens their parts.
**
** Every luaopen function of this layer is entered in module.c and nowhere else. The host makes them
** known to `require` with mpl_module_preload; under a stock Lua the same functions are found by
** name in process.so. `process.core` holds what the Lua sources under lua/process build upon.
*/
#ifndef MPL_BIND_MODULE_H
#define MPL_BIND_MODULE_H

#include <lua.h>

void mpl_module_preload(lua_State *L);
int luaopen_process_core(lua_State *L);

/* Each registers a class and puts its constructor into the module table on top. */
void mpl_lock_open(lua_State *L);
void mpl_event_open(lua_State *L);
void mpl_queue_open(lua_State *L);
void mpl_cells_open(lua_State *L);
void mpl_list_open(lua_State *L);
void mpl_manager_open(lua_State *L);
void mpl_queue_many_open(lua_State *L);
void mpl_queue_simple_open(lua_State *L);
void mpl_dict_open(lua_State *L);
void mpl_connection_open(lua_State *L);
void mpl_fd_open(lua_State *L);
void mpl_reach_open(lua_State *L);
void mpl_process_open(lua_State *L);
void mpl_barrier_open(lua_State *L);
void mpl_wait_open(lua_State *L);
void mpl_condition_open(lua_State *L);
void mpl_rlock_open(lua_State *L);
void mpl_semaphore_open(lua_State *L);
void mpl_stats_open(lua_State *L);
void mpl_tasks_open(lua_State *L);
void mpl_system_open(lua_State *L);

#endif
