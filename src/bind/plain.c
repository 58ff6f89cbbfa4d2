/*
** See plain.h; the bytes are those of codec_format.h.
*/
#include "bind/plain.h"

#include <string.h>

#include "base/endian.h"
#include "bind/codec_format.h"
#include "bind/handle.h"
#include "shm/message.h"

/* The value at idx. False if it is none that can be compared. */
bool mpl_plain_take(lua_State *L, int idx, struct mpl_plain *v) {
  size_t n;
  *v = (struct mpl_plain){0};
  switch (lua_type(L, idx)) {
    case LUA_TNONE:
    case LUA_TNIL: v->kind = MPL_PLAIN_NIL; break;
    case LUA_TBOOLEAN:
      v->kind = MPL_PLAIN_BOOLEAN;
      v->integer = lua_toboolean(L, idx);
      break;
    case LUA_TNUMBER:
      v->kind = lua_isinteger(L, idx) ? MPL_PLAIN_INTEGER : MPL_PLAIN_FLOAT;
      v->integer = lua_tointeger(L, idx);
      v->number = lua_tonumber(L, idx);
      break;
    case LUA_TSTRING:
      v->kind = MPL_PLAIN_STRING;
      v->string = lua_tolstring(L, idx, &n);
      v->size = n;
      break;
    default:
      v->id = mpl_handle_id(L, idx);
      v->kind = v->id != 0 ? MPL_PLAIN_OBJECT : MPL_PLAIN_NONE;
  }
  return v->kind != MPL_PLAIN_NONE;
}

static void look_integer(struct mpl_plain *v, int64_t n) {
  v->kind = MPL_PLAIN_INTEGER;
  v->integer = n;
}

static void look_float(struct mpl_plain *v, const unsigned char *at) {
  uint64_t bits = mpl_endian_get64(at);
  v->kind = MPL_PLAIN_FLOAT;
  memcpy(&v->number, &bits, sizeof bits);
}

/* A string that lies at `at`, whose size is what there is up to `end`. */
static void look_string(struct mpl_plain *v, const unsigned char *at, const unsigned char *end) {
  v->kind = MPL_PLAIN_STRING;
  v->string = (const char *)at;
  v->size = (uint64_t)(end - at);
}

/* Looks at an encoded value, which the caller keeps from going: one that is stored, whole, so that
   its size is what its tag says. */
void mpl_plain_look(const struct mpl_value *value, struct mpl_plain *v) {
  const struct mpl_message *m = value->message != 0 ? mpl_message_at(value->message) : NULL;
  const unsigned char *at = m != NULL ? mpl_message_data(value->message) : value->bytes;
  const unsigned char *end = at + (m != NULL ? m->size : value->size);
  unsigned tag = *at++;
  *v = (struct mpl_plain){0};
  if (tag <= CODEC_MAX_SMALL) {
    look_integer(v, (int64_t)tag);
    return;
  }
  if (tag <= TAG_SHORT_STRING + CODEC_MAX_SHORT) {
    look_string(v, at, end);
    return;
  }
  switch (tag) {
    case TAG_FALSE:
    case TAG_TRUE:
      v->kind = MPL_PLAIN_BOOLEAN;
      v->integer = tag == TAG_TRUE;
      break;
    case TAG_INT8: look_integer(v, (int8_t)*at); break;
    case TAG_INT16: look_integer(v, (int16_t)mpl_endian_get16(at)); break;
    case TAG_INT32: look_integer(v, (int32_t)mpl_endian_get32(at)); break;
    case TAG_INT64: look_integer(v, (int64_t)mpl_endian_get64(at)); break;
    case TAG_FLOAT: look_float(v, at); break;
    case TAG_STRING:
      while (*at++ > 0x7f) {} /* the count */
      look_string(v, at, end);
      break;
    case TAG_OBJECT:
      v->kind = MPL_PLAIN_OBJECT;
      v->id = mpl_load64_rlx(&m->ref[0]);
      break;
    default: break;
  }
}

/* Whether a float is that integer. */
static bool is_integer(lua_Number x, lua_Integer n) {
  return x >= -0x1p63 && x < 0x1p63 && (lua_Integer)x == n && (lua_Number)(lua_Integer)x == x;
}

/* As == in Lua. */
bool mpl_plain_equal(const struct mpl_plain *a, const struct mpl_plain *b) {
  if (a->kind != b->kind) {
    if (!mpl_plain_is_number(a) || !mpl_plain_is_number(b)) return false;
    return a->kind == MPL_PLAIN_FLOAT ? is_integer(a->number, b->integer)
                                      : is_integer(b->number, a->integer);
  }
  switch (a->kind) {
    case MPL_PLAIN_NIL: return true;
    case MPL_PLAIN_BOOLEAN:
    case MPL_PLAIN_INTEGER: return a->integer == b->integer;
    case MPL_PLAIN_FLOAT: return a->number == b->number;
    case MPL_PLAIN_STRING:
      return a->size == b->size && memcmp(a->string, b->string, a->size) == 0;
    case MPL_PLAIN_OBJECT: return a->id == b->id;
    default: return false;
  }
}

/* sum += n, both numbers; of two integers an integer, else a float. False if it is out of range;
   sum then is as before. */
bool mpl_plain_add(struct mpl_plain *sum, const struct mpl_plain *n) {
  if (sum->kind == MPL_PLAIN_INTEGER && n->kind == MPL_PLAIN_INTEGER) {
    lua_Integer old = sum->integer;
    if (!__builtin_add_overflow(old, n->integer, &sum->integer)) return true;
    sum->integer = old;
    return false;
  }
  sum->number = (sum->kind == MPL_PLAIN_INTEGER ? (lua_Number)sum->integer : sum->number) +
                (n->kind == MPL_PLAIN_INTEGER ? (lua_Number)n->integer : n->number);
  sum->kind = MPL_PLAIN_FLOAT;
  return true;
}

static uint64_t put(unsigned char *bytes, unsigned tag, uint64_t bits, uint64_t size) {
  bytes[0] = (unsigned char)tag;
  for (uint64_t i = 0; i < size; i++, bits >>= 8) bytes[1 + i] = (unsigned char)bits;
  return 1 + size;
}

/* Encodes a number; returns its size. */
uint64_t mpl_plain_put_number(unsigned char bytes[MPL_PLAIN_NUMBER_BYTES],
                              const struct mpl_plain *v) {
  lua_Integer n = v->integer;
  uint64_t bits = (uint64_t)n;
  if (v->kind == MPL_PLAIN_FLOAT) {
    memcpy(&bits, &v->number, sizeof bits);
    return put(bytes, TAG_FLOAT, bits, 8);
  }
  if (bits <= CODEC_MAX_SMALL) return put(bytes, (unsigned)bits, 0, 0);
  if (n >= INT8_MIN && n <= INT8_MAX) return put(bytes, TAG_INT8, bits, 1);
  if (n >= INT16_MIN && n <= INT16_MAX) return put(bytes, TAG_INT16, bits, 2);
  if (n >= INT32_MIN && n <= INT32_MAX) return put(bytes, TAG_INT32, bits, 4);
  return put(bytes, TAG_INT64, bits, 8);
}

/* For error messages: what kind of value it is. */
const char *mpl_plain_name(const struct mpl_plain *v) {
  switch (v->kind) {
    case MPL_PLAIN_NIL: return "nil";
    case MPL_PLAIN_BOOLEAN: return "a boolean";
    case MPL_PLAIN_INTEGER:
    case MPL_PLAIN_FLOAT: return "a number";
    case MPL_PLAIN_STRING: return "a string";
    case MPL_PLAIN_OBJECT: return "a shared object";
    default: return "a table or a function";
  }
}
