/*
** Keys of dicts.
**
** A key is a byte that says its kind, then the bytes of a string, of a float, or the lower bytes of
** an integer as far as they are needed. As in a table of Lua a float that is an integer is that
** integer. Equal keys have equal bytes.
*/
#ifndef MPL_BIND_DICT_KEY_H
#define MPL_BIND_DICT_KEY_H

#include <lua.h>
#include <stdbool.h>

#include "ds/dict.h"

#define MPL_DICT_KEY_ROOM 64 /* bytes; longer keys lie in memory of Lua's */

bool mpl_dict_key_find(lua_State *L, int idx, unsigned char room[MPL_DICT_KEY_ROOM],
                       struct mpl_dict_key *key);
void mpl_dict_key_take(lua_State *L, int idx, unsigned char room[MPL_DICT_KEY_ROOM],
                       struct mpl_dict_key *key);
void mpl_dict_key_push(lua_State *L, const unsigned char *bytes, uint64_t size);

#endif
