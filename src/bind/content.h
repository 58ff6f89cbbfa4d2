/*
** Values on their way between Lua and structures that hold encoded values.
**
** A small value without references is bytes in private memory; any other is a message in the
** caller's hand.
*/
#ifndef MPL_BIND_CONTENT_H
#define MPL_BIND_CONTENT_H

#include <lua.h>

#include "bind/codec.h"
#include "ds/value.h"

enum mpl_status mpl_content_message(const struct mpl_piece *pieces, size_t npieces, size_t size,
                                    const uint64_t *refs, size_t nrefs, mpl_off *message);
void mpl_content_drop(mpl_off message);
void mpl_content_decode(lua_State *L, mpl_off message);
void mpl_content_show(lua_State *L, const struct mpl_value *v);

void mpl_content_take(lua_State *L, int idx, unsigned char bytes[MPL_VALUE_INLINE],
                      struct mpl_value *v);
void mpl_content_push(lua_State *L, const struct mpl_value *v);
void mpl_content_weigh(lua_State *L, uint64_t size);

#endif
