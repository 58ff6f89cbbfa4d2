/*
** The list for scripts: what the files of its binding share.
*/
#ifndef MPL_BIND_LIST_H
#define MPL_BIND_LIST_H

#include "bind/blocking.h"
#include "bind/gate_use.h"
#include "bind/handle.h"
#include "ds/list.h"

/* A call of ds/list.h, with what it takes and gives. */
struct mpl_list_call {
  struct mpl_blocking op;
  struct mpl_list *list;
  enum mpl_status (*run)(struct mpl_list_call *call);
  enum mpl_status status;
  int64_t at, last;
  uint64_t writes;
  struct mpl_list *own;
  struct mpl_list_snapshot *snapshot;
  struct mpl_value value;      /* in */
  struct mpl_list_image image; /* out */
};

extern const struct mpl_class mpl_list_class;

/* Who calls, for the gate. */
static inline uint32_t mpl_list_thread(const struct mpl_list_call *call) {
  return mpl_gate_use_thread(&call->list->gate);
}

struct mpl_list *mpl_list_self(lua_State *L);
bool mpl_list_run(lua_State *L, struct mpl_list_call *call);
void mpl_list_append(lua_State *L, struct mpl_list *l, int idx);

int mpl_list_method_clear(lua_State *L);
int mpl_list_method_extend(lua_State *L);
int mpl_list_method_slice(lua_State *L);
int mpl_list_items(lua_State *L);
void mpl_list_open_whole(lua_State *L);

#endif
