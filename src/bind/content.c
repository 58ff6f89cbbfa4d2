/*
** See content.h.
*/
#include "bind/content.h"

#include <limits.h>
#include <string.h>

#include "bind/args.h"
#include "shm/message.h"
#include "shm/object.h"
#include "shm/slot.h"

/* Drops a message out of the hand. */
void mpl_content_drop(mpl_off message) {
  mpl_message_drop(mpl_self, message);
  mpl_object_bury();
}

/* Makes a message of bytes in pieces and references, in the hand. MPL_OK, MPL_NOMEM or
   MPL_DAMAGED. */
enum mpl_status mpl_content_message(const struct mpl_piece *pieces, size_t npieces, size_t size,
                                  const uint64_t *refs, size_t nrefs, mpl_off *message) {
  enum mpl_status s = mpl_message_new(size, nrefs, message);
  if (s != MPL_OK) return s;
  unsigned char *to = mpl_message_data(*message);
  for (size_t i = 0; i < npieces; i++) {
    memcpy(to, pieces[i].data, pieces[i].size);
    to += pieces[i].size;
  }
  for (size_t i = 0; s == MPL_OK && i < nrefs; i++) s = mpl_message_add_ref(*message, refs[i]);
  if (s != MPL_OK) mpl_content_drop(*message);
  return s;
}

/* Pushes the value of a message, which stays in the hand. */
void mpl_content_decode(lua_State *L, mpl_off message) {
  struct mpl_message *m = mpl_message_at(message);
  mpl_codec_decode(L, mpl_message_data(message), m->size, (const uint64_t *)m->ref,
                   mpl_load64_rlx(&m->nrefs));
}

/* Pushes a value; its message, if it has one, stays in the hand. */
void mpl_content_show(lua_State *L, const struct mpl_value *v) {
  if (v->message != 0)
    mpl_content_decode(L, v->message);
  else
    mpl_codec_decode(L, v->bytes, v->size, NULL, 0);
}

/* Encodes the value at idx: as bytes into `bytes`, or as a message. Raises if it cannot be sent or
   there is no memory. */
void mpl_content_take(lua_State *L, int idx, unsigned char bytes[MPL_VALUE_INLINE],
                      struct mpl_value *v) {
  struct mpl_codec_out out;
  enum mpl_status s = MPL_OK;
  mpl_codec_encode(L, idx, &out);
  *v = (struct mpl_value){.bytes = bytes, .size = out.size};
  if (out.size <= MPL_VALUE_INLINE && out.nrefs == 0) {
    unsigned char *to = bytes;
    for (size_t i = 0; i < out.npieces; i++) {
      memcpy(to, out.pieces[i].data, out.pieces[i].size);
      to += out.pieces[i].size;
    }
  } else {
    s = mpl_content_message(out.pieces, out.npieces, out.size, out.refs, out.nrefs, &v->message);
  }
  mpl_codec_release(&out);
  if (s != MPL_OK) mpl_args_raise(L, s);
}

/* Argument: a message. */
static int decode_protected(lua_State *L) {
  mpl_content_decode(L, *(const mpl_off *)lua_touserdata(L, 1));
  return 1;
}

/* Pushes a value. Its message is dropped, also if this raises. */
void mpl_content_push(lua_State *L, const struct mpl_value *v) {
  if (v->message == 0) {
    mpl_codec_decode(L, v->bytes, v->size, NULL, 0);
    return;
  }
  mpl_off message = v->message;
  int status = LUA_ERRMEM;
  if (lua_checkstack(L, 2)) {
    lua_pushcfunction(L, decode_protected);
    lua_pushlightuserdata(L, &message);
    status = lua_pcall(L, 1, 1, 0);
  }
  mpl_content_drop(message);
  if (status == LUA_OK) return;
  if (status == LUA_ERRMEM) luaL_error(L, "not enough memory");
  lua_error(L);
}

/* A userdata, which is on the stack, has got `size` bytes outside of Lua's memory: the collector
   comes as soon as if they were in it. Otherwise a loop that is left early again and again would
   leave copy after copy of what it went through. */
void mpl_content_weigh(lua_State *L, uint64_t size) {
  uint64_t kbytes = size / 1024;
  if (kbytes == 0 || !lua_gc(L, LUA_GCISRUNNING)) return;
  lua_gc(L, LUA_GCSTEP, kbytes < INT_MAX / 1024 ? (int)kbytes : INT_MAX / 1024);
}
