/*
** See dict_key.h.
*/
#include "bind/dict_key.h"

#include <lauxlib.h>
#include <string.h>

#include "base/endian.h"
#include "bind/args.h"

enum kind { KEY_STRING, KEY_INTEGER, KEY_FLOAT, KEY_FALSE, KEY_TRUE };

/* Writes an integer; returns its size. Small ones are short: the sign is in the lowest bit. */
static uint64_t put_integer(unsigned char *at, lua_Integer n) {
  uint64_t bits = (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);
  uint64_t size = 1;
  at[0] = KEY_INTEGER;
  for (; bits != 0; bits >>= 8) at[size++] = (unsigned char)bits;
  return size;
}

static lua_Integer get_integer(const unsigned char *at, uint64_t size) {
  uint64_t bits = 0;
  while (size-- > 1) bits = bits << 8 | at[size];
  return (lua_Integer)(bits >> 1 ^ (0 - (bits & 1)));
}

/* False for NaN. */
static bool put_number(lua_State *L, int idx, unsigned char *at, uint64_t *size) {
  if (lua_isinteger(L, idx)) {
    *size = put_integer(at, lua_tointeger(L, idx));
    return true;
  }
  lua_Number x = lua_tonumber(L, idx);
  lua_Integer n;
  if (x != x) return false;
  if (x >= -0x1p63 && x < 0x1p63 && (lua_Number)(n = (lua_Integer)x) == x) {
    *size = put_integer(at, n);
    return true;
  }
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  at[0] = KEY_FLOAT;
  mpl_endian_put64(at + 1, bits);
  *size = 9;
  return true;
}

/* The bytes of a string as a key. A long one gets memory, which the Lua value at idx becomes. */
static const unsigned char *put_string(lua_State *L, int idx, unsigned char *at, uint64_t *size) {
  size_t n;
  const char *s = lua_tolstring(L, idx, &n);
  if (n >= MPL_DICT_KEY_ROOM) {
    at = lua_newuserdatauv(L, n + 1, 0);
    at[0] = KEY_STRING;
    memcpy(at + 1, s, n);
    lua_replace(L, idx);
  } else {
    at[0] = KEY_STRING;
    memcpy(at + 1, s, n);
  }
  *size = n + 1;
  return at;
}

/* The key at idx, an absolute index; what is there may be replaced. False for nil and NaN, under
   which there is never anything. Raises for what can be no key. */
bool mpl_dict_key_find(lua_State *L, int idx, unsigned char room[MPL_DICT_KEY_ROOM],
                       struct mpl_dict_key *key) {
  key->bytes = room;
  switch (lua_type(L, idx)) {
    case LUA_TSTRING: key->bytes = put_string(L, idx, room, &key->size); break;
    case LUA_TNUMBER:
      if (!put_number(L, idx, room, &key->size)) return false;
      break;
    case LUA_TBOOLEAN:
      room[0] = lua_toboolean(L, idx) ? KEY_TRUE : KEY_FALSE;
      key->size = 1;
      break;
    case LUA_TNONE:
    case LUA_TNIL: return false;
    default:
      mpl_args_error(L, "a key is a string, a number or a boolean, not a %s",
                     mpl_args_kind(L, idx));
  }
  key->hash = mpl_dict_hash(key->bytes, key->size);
  return true;
}

/* The same, for a key under which something is to be stored: raises for nil and NaN, too. */
void mpl_dict_key_take(lua_State *L, int idx, unsigned char room[MPL_DICT_KEY_ROOM],
                       struct mpl_dict_key *key) {
  if (!mpl_dict_key_find(L, idx, room, key))
    mpl_args_error(L, "a key is a string, a number or a boolean, not %s",
                   lua_isnoneornil(L, idx) ? "nil" : "NaN");
}

/* Pushes a key. */
void mpl_dict_key_push(lua_State *L, const unsigned char *bytes, uint64_t size) {
  uint64_t bits;
  lua_Number x;
  switch (bytes[0]) {
    case KEY_STRING: lua_pushlstring(L, (const char *)bytes + 1, size - 1); break;
    case KEY_INTEGER: lua_pushinteger(L, get_integer(bytes, size)); break;
    case KEY_FLOAT:
      bits = mpl_endian_get64(bytes + 1);
      memcpy(&x, &bits, sizeof x);
      lua_pushnumber(L, x);
      break;
    default: lua_pushboolean(L, bytes[0] == KEY_TRUE);
  }
}
