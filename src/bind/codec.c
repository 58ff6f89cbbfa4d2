/*
** process.dumps and process.loads: a message as a Lua string.
**
** The string: magic (4 bytes), version (4), number of ids (8), bytes of the message (8), hash of
** what is before and after it (8), the ids, the message; numbers are little-endian. The hash makes
** sure that cut and damaged strings are refused; it is no protection against a forger, who could
** send code. Ids are names, not references: an object lives only as long as somebody else holds it.
*/
#include "bind/codec.h"

#include <lauxlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "bind/args.h"
#include "bind/codec_out.h"

#define MAGIC "\x1bmpl"
#define OUT_TYPE "mpl.codec_out"

enum { VERSION = 1, HASHED = 24, HEAD = 32, ID_BYTES = 8 };

/* The hash of a whole dump. */
static uint64_t dump_hash(const char *dump, size_t size) {
  return mpl_hash(dump + HEAD, size - HEAD, mpl_hash(dump, HASHED, 0));
}

/* Writes the dump at p, which has room for it. */
static void write_dump(char *p, const struct mpl_codec_out *out, size_t size) {
  memcpy(p, MAGIC, 4);
  mpl_endian_put32(p + 4, VERSION);
  mpl_endian_put64(p + 8, out->nrefs);
  mpl_endian_put64(p + 16, out->size);
  char *at = p + HEAD;
  for (size_t i = 0; i < out->nrefs; i++, at += ID_BYTES) mpl_endian_put64(at, out->refs[i]);
  for (size_t i = 0; i < out->npieces; at += out->pieces[i++].size)
    memcpy(at, out->pieces[i].data, out->pieces[i].size);
  mpl_endian_put64(p + HASHED, dump_hash(p, size));
}

static int collect_out(lua_State *L) {
  mpl_codec_release(luaL_checkudata(L, 1, OUT_TYPE));
  return 0;
}

/* Pushes an empty encoding that is released with the userdata, whatever is raised. */
static struct mpl_codec_out *push_out(lua_State *L) {
  struct mpl_codec_out *out = lua_newuserdatauv(L, sizeof *out, 0);
  mpl_codec_out_start(out);
  if (luaL_newmetatable(L, OUT_TYPE)) {
    lua_pushcfunction(L, collect_out);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return out;
}

/* process.dumps(value): the value as a string, for process.loads in any process of the program.
   Raises an error that names the path of what cannot be sent. */
int mpl_codec_dumps(lua_State *L) {
  luaL_checkany(L, 1);
  if (!lua_isnone(L, 2)) mpl_args_dot(L);
  lua_settop(L, 1);
  struct mpl_codec_out *out = push_out(L);
  mpl_codec_encode_text(L, 1, out);
  size_t size = HEAD + out->nrefs * ID_BYTES + out->size;
  luaL_Buffer dump;
  char *p = luaL_buffinitsize(L, &dump, size);
  write_dump(p, out, size);
  mpl_codec_release(out);
  luaL_pushresultsize(&dump, size);
  return 1;
}

/* Checks a string of n bytes at s. Returns what is wrong with it, or NULL. */
static const char *fault(const char *s, size_t n) {
  if (n < HEAD || memcmp(s, MAGIC, 4) != 0) return "it does not begin as one";
  if (mpl_endian_get32(s + 4) != VERSION) return "it is of another version";
  uint64_t nrefs = mpl_endian_get64(s + 8), size = mpl_endian_get64(s + 16);
  if (nrefs > (n - HEAD) / ID_BYTES || size != n - HEAD - nrefs * ID_BYTES)
    return "its length is wrong";
  if (mpl_endian_get64(s + HASHED) != dump_hash(s, n)) return "its bytes have changed";
  return NULL;
}

/* process.loads(string): the value that process.dumps made it from. Raises "damaged message: ..."
   for anything else. */
int mpl_codec_loads(lua_State *L) {
  luaL_checktype(L, 1, LUA_TSTRING);
  lua_settop(L, 1);
  size_t n;
  const char *s = lua_tolstring(L, 1, &n);
  const char *wrong = fault(s, n);
  if (wrong != NULL) return luaL_error(L, "damaged message: %s", wrong);
  size_t nrefs = (size_t)mpl_endian_get64(s + 8);
  uint64_t *refs = NULL;
  if (nrefs > 0) refs = lua_newuserdatauv(L, nrefs * sizeof *refs, 0);
  for (size_t i = 0; i < nrefs; i++) refs[i] = mpl_endian_get64(s + HEAD + i * ID_BYTES);
  const char *message = s + HEAD + nrefs * ID_BYTES;
  mpl_codec_decode(L, message, n - (size_t)(message - s), refs, nrefs);
  return 1;
}
