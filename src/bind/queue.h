/*
** What the two files of process.Queue share.
*/
#ifndef MPL_BIND_QUEUE_H
#define MPL_BIND_QUEUE_H

#include <lua.h>

#include "bind/codec.h"
#include "ds/queue.h"

struct mpl_queue *mpl_queue_self(lua_State *L);
enum mpl_status mpl_queue_message(const struct mpl_piece *pieces, size_t npieces, size_t size,
                                  const uint64_t *refs, size_t nrefs, mpl_off *message);
void mpl_queue_decode(lua_State *L, mpl_off message);
void mpl_queue_drop(mpl_off message);
void mpl_queue_give_back(struct mpl_queue *q, const struct mpl_queue_batch *batch, int i);
int mpl_queue_refused(lua_State *L, const char *word);

int mpl_queue_put_many(lua_State *L);
int mpl_queue_get_many(lua_State *L);

#endif
