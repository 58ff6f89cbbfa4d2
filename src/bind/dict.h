/*
** process.dict, set and Namespace: what the files of the binding share. All three are dicts
** (ds/dict.h); a set has its elements as keys. Point operations and classes are in dict.c, what
** concerns all entries in dict_whole.c, changes at once in dict_atomic.c, waiting for a change in
** dict_wait.c.
*/
#ifndef MPL_BIND_DICT_H
#define MPL_BIND_DICT_H

#include <lua.h>

#include "bind/blocking.h"
#include "ds/dict.h"

/* A change that may have to wait for the gate. */
struct mpl_dict_change {
  struct mpl_blocking blocking;
  enum mpl_status (*attempt)(struct mpl_dict_change *change, struct mpl_wait *w);
  enum mpl_status status;
  struct mpl_dict_op op;
  struct mpl_value value; /* to be stored */
};

struct mpl_dict *mpl_dict_self(lua_State *L);
uint32_t mpl_dict_thread(const struct mpl_dict *d);
void mpl_dict_look(lua_State *L, struct mpl_dict_op *op, struct mpl_wait *wait);
int mpl_dict_push_removed(lua_State *L, struct mpl_dict_change *change, bool with_key);
void mpl_dict_run(lua_State *L, struct mpl_dict_change *change);

void mpl_dict_open_whole(lua_State *L);
void mpl_dict_open_atomic(lua_State *L);
int mpl_dict_len(lua_State *L);
int mpl_dict_pairs(lua_State *L);
int mpl_dict_clear_all(lua_State *L);
int mpl_dict_popitem(lua_State *L);
int mpl_dict_list(lua_State *L);
int mpl_dict_changes(lua_State *L);
int mpl_dict_wait_change(lua_State *L);
int mpl_dict_wait_for(lua_State *L);

#endif
