/*
** What the files of process.Queue, JoinableQueue and SimpleQueue share.
*/
#ifndef MPL_BIND_QUEUE_H
#define MPL_BIND_QUEUE_H

#include <lua.h>

#include "bind/class.h"
#include "bind/content.h"
#include "ds/queue.h"

extern const struct mpl_class mpl_queue_simple_class;

struct mpl_queue *mpl_queue_self(lua_State *L);
int mpl_queue_put_value(lua_State *L, struct mpl_queue *q, int64_t deadline);
int mpl_queue_get_value(lua_State *L, struct mpl_queue *q, int64_t deadline);
int mpl_queue_empty(lua_State *L);
int mpl_queue_close(lua_State *L);
int mpl_queue_tostring(lua_State *L);

bool mpl_queue_fault_is_ours(lua_State *L, int status);
void mpl_queue_decoded(struct mpl_queue *q, mpl_off message);
void mpl_queue_undecodable(struct mpl_queue *q, mpl_off message);
void mpl_queue_give_back(struct mpl_queue *q, const struct mpl_queue_batch *batch, int i);
int mpl_queue_refused(lua_State *L, const char *word);

int mpl_queue_put_many(lua_State *L);
int mpl_queue_get_many(lua_State *L);
int mpl_queue_done(lua_State *L);
int mpl_queue_join(lua_State *L);

#endif
