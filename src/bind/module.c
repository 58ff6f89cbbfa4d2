/*
** The list of C modules: see module.h.
*/
#include "bind/module.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "base/os.h"
#include "bind/chores.h"
#include "bind/codec.h"
#include "bind/finish.h"
#include "bind/handle.h"
#include "bind/hold.h"
#include "bind/interrupt.h"
#include "ds/keep.h"
#include "ds/parcel.h"
#include "proc/fork.h"
#include "proc/signal.h"
#include "shm/super.h"

static const luaL_Reg openers[] = {
  {"process.core", luaopen_process_core},
  {NULL, NULL},
};

/* Enters every C module in package.preload; nothing is opened before a script requires it. */
void mpl_module_preload(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  luaL_setfuncs(L, openers, 0);
  lua_pop(L, 1);
}

static const luaL_Reg functions[] = {
  {"at_exit", mpl_finish_at_exit},
  {"dumps", mpl_codec_dumps},
  {"loads", mpl_codec_loads},
  {"register", mpl_codec_register},
  {NULL, NULL},
};

/* Makes this process the first of a program: the arena, and what it hears. */
static void begin_program(lua_State *L) {
  if (mpl_os_open_standard() != 0) luaL_error(L, "process: /dev/null: %s", strerror(errno));
  if (mpl_shm_create() != MPL_OK)
    luaL_error(L, "process: cannot make the shared memory: %s%s", strerror(errno),
               errno == EINVAL ? " (is MPL_SHM_SIZE a size such as 512M?)" : "");
  if (mpl_parcel_open() != MPL_OK) luaL_error(L, "process: %s", strerror(errno));
  mpl_signal_hear_interrupts();
  mpl_signal_hear_children();
#if defined(MPL_SHARED)
  if (!mpl_fork_watch()) luaL_error(L, "not enough memory");
#endif
}

/* Pushes the table of what is written in C. */
int luaopen_process_core(lua_State *L) {
  if (mpl_self == NULL) begin_program(L);
  mpl_interrupt_open(L);
  mpl_keep_register();
  mpl_handle_open(L);
  mpl_hold_open(L);
  mpl_queue_many_open(L);
  luaL_newlib(L, functions);
  mpl_lock_open(L);
  mpl_rlock_open(L);
  mpl_semaphore_open(L);
  mpl_condition_open(L);
  mpl_barrier_open(L);
  mpl_event_open(L);
  mpl_queue_open(L);
  mpl_cells_open(L);
  mpl_list_open(L);
  mpl_manager_open(L);
  mpl_queue_simple_open(L);
  mpl_dict_open(L);
  mpl_connection_open(L);
  mpl_fd_open(L);
  mpl_reach_open(L);
  mpl_tasks_open(L);
  mpl_process_open(L);
  mpl_wait_open(L);
  mpl_stats_open(L);
  mpl_system_open(L);
  mpl_chores_open(L);
  return 1;
}
