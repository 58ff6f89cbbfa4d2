/*
** Sets of sent code, and the code that was received: codec_codes.h.
*/
#include "bind/codec_codes.h"

#include <lauxlib.h>

#define TYPE "process.codes"

/* Received codes that are kept. There are more only if many send to this process: then all are
   dropped, and the senders hear of it by the error. */
#define KEPT_MAX (4 * MPL_CODEC_CODES_MAX)

/* In the registry under this address: a table, hash -> code. Its element 0 counts them; so a code
   whose hash is 0 is not kept. */
static const char registry_key = 0;

/*
** Sender
*/

/* The set at idx; raises if there is none. */
struct mpl_codec_codes *mpl_codec_codes_check(lua_State *L, int idx) {
  return luaL_checkudata(L, idx, TYPE);
}

/* Adds the codes of a message, as far as there is room and memory. */
void mpl_codec_codes_add(struct mpl_codec_codes *codes, const struct mpl_codec_seen *message) {
  for (size_t i = 0; i < message->count && codes->sent.count < MPL_CODEC_CODES_MAX; i++) {
    uint64_t hash = message->entries[i].key;
    if (!mpl_codec_codes_has(codes, hash) && !mpl_codec_seen_add(&codes->sent, hash, 0)) return;
  }
}

/* Takes back all but the first n. */
void mpl_codec_codes_cut(struct mpl_codec_codes *codes, size_t n) {
  mpl_codec_seen_cut(&codes->sent, n);
}

/* core.codes(): an empty set, of what one receiver has. */
static int new_codes(lua_State *L) {
  struct mpl_codec_codes *codes = lua_newuserdatauv(L, sizeof *codes, 0);
  mpl_codec_seen_init(&codes->sent);
  luaL_setmetatable(L, TYPE);
  return 1;
}

static int collect_codes(lua_State *L) {
  struct mpl_codec_codes *codes = mpl_codec_codes_check(L, 1);
  mpl_codec_seen_free(&codes->sent);
  mpl_codec_seen_init(&codes->sent);
  return 0;
}

/* codes:count(): how many there are. */
static int count_codes(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)mpl_codec_codes_check(L, 1)->sent.count);
  return 1;
}

/* codes:cut(n): takes back all that came after count() was n. */
static int cut_codes(lua_State *L) {
  struct mpl_codec_codes *codes = mpl_codec_codes_check(L, 1);
  lua_Integer n = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n >= 0, 2, "a count expected");
  mpl_codec_codes_cut(codes, (size_t)n);
  return 0;
}

/* Enters `codes` and the error's text `UNKNOWN_CODE` in the table on top. */
void mpl_codec_codes_open(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"__gc", collect_codes}, {"count", count_codes}, {"cut", cut_codes}, {NULL, NULL}};
  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, new_codes);
  lua_setfield(L, -2, "codes");
  lua_pushliteral(L, MPL_CODEC_CODES_UNKNOWN);
  lua_setfield(L, -2, "UNKNOWN_CODE");
}

/*
** Receiver
*/

/* Keeps a code for later messages that name its hash. */
void mpl_codec_codes_keep(lua_State *L, uint64_t hash, const char *bytes, size_t n) {
  int top = lua_gettop(L);
  lua_Integer kept = 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &registry_key) == LUA_TTABLE) {
    lua_rawgeti(L, -1, 0);
    kept = lua_tointeger(L, -1);
    bool known = lua_rawgeti(L, top + 1, (lua_Integer)hash) != LUA_TNIL;
    lua_settop(L, known || hash == 0 ? top : top + 1);
    if (known || hash == 0) return;
  }
  if (kept % KEPT_MAX == 0) {
    lua_settop(L, top);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &registry_key);
    kept = 0;
  }
  lua_pushlstring(L, bytes, n);
  lua_rawseti(L, top + 1, (lua_Integer)hash);
  lua_pushinteger(L, kept + 1);
  lua_rawseti(L, top + 1, 0);
  lua_settop(L, top);
}

/* Pushes a code that was kept, as a string; returns its bytes. Raises MPL_CODEC_CODES_UNKNOWN. */
const char *mpl_codec_codes_push(lua_State *L, uint64_t hash, size_t *n) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &registry_key) != LUA_TTABLE || hash == 0 ||
      lua_rawgeti(L, -1, (lua_Integer)hash) != LUA_TSTRING) {
    lua_pushliteral(L, MPL_CODEC_CODES_UNKNOWN);
    lua_error(L);
  }
  lua_remove(L, -2);
  return lua_tolstring(L, -1, n);
}
