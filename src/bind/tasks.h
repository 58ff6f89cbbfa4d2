/*
** What the files of the class Tasks have in common.
*/
#ifndef MPL_BIND_TASKS_H
#define MPL_BIND_TASKS_H

#include <lua.h>

#include "base/buf.h"
#include "ds/tasks.h"

/* What a chunk's arguments are: one value for each task, or a list of arguments for each, or one
   list for the only task, of which all results count. */
enum mpl_tasks_kind { MPL_TASKS_MAP, MPL_TASKS_STAR, MPL_TASKS_APPLY };

/* What a process keeps for its handle of a ledger, as the handle's user value. */
struct mpl_tasks_desk {
  struct mpl_buf bytes, refs; /* of the chunk that is encoded, behind those of chunks whose encoding
                                 runs what encodes this one */
  uint64_t ends; /* mpl_child_ends, as far as the script was told; 0 at first: it is told once too
                    often rather than not of a child that ended before it asked */
  bool reading;               /* a chunk that was collected is being decoded or delivered */
};

struct mpl_tasks *mpl_tasks_self(lua_State *L);
struct mpl_tasks_desk *mpl_tasks_desk(lua_State *L);
void mpl_tasks_desk_cut(struct mpl_tasks_desk *desk, size_t bytes, size_t refs);

int mpl_tasks_method_put(lua_State *L);
int mpl_tasks_method_collect(lua_State *L);
int mpl_tasks_method_serve(lua_State *L);

#endif
