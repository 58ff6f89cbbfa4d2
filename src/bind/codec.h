/*
** The codec: Lua values to bytes and back. What the bytes look like is in codec_format.h.
**
** What can be sent: nil, booleans, numbers (bit for bit), strings, tables with cycles and shared
** parts, tables whose metatable is registered by name, Lua functions with their upvalues and, as
** far as they can be sent, the globals that they name, C functions and modules by name, the globals
** table, the light userdata NULL, and the shared objects of this module. Anything else is refused
** at the sender, with its path in the value.
**
** Invariant: between mpl_codec_encode and mpl_codec_release nothing of Lua runs. Long strings are
** referenced where they lie, and a finalizer could drop them. Who must let Lua run meanwhile (a
** wait that yields, an allocation of Lua) uses mpl_codec_encode_flat.
*/
#ifndef MPL_BIND_CODEC_H
#define MPL_BIND_CODEC_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Tables in tables, functions in upvalues. A value that is deeper is refused on both sides. */
#define MPL_CODEC_MAX_DEPTH 200000

/* Strings of this many bytes are long. An encoding that is smaller has copies of all strings, and
** may
   be kept while Lua runs. */
#define MPL_CODEC_INPLACE 4096

/* What an encoding produced. It holds pointers into itself: do not copy it, do not move it. */
struct mpl_codec_out {
  struct mpl_buf bytes;           /* everything but the long strings */
  struct mpl_piece *pieces; /* the message is these, one after the other */
  size_t npieces;
  size_t size;    /* bytes of the whole message */
  uint64_t *refs; /* ids of the shared objects in the message, each once, in order of mention */
  size_t nrefs;
  bool parcels; /* are among them, which live as long as this or a message refers to them */
  /* The rest is the codec's own. */
  size_t cut; /* bytes that belong to earlier pieces */
  size_t pieces_room;
  size_t refs_room;
  struct mpl_piece initial_pieces[4];
  uint64_t initial_refs[4];
  char initial_bytes[1024];
};

void mpl_codec_encode(lua_State *L, int idx, struct mpl_codec_out *out);
void mpl_codec_encode_flat(lua_State *L, int idx, struct mpl_codec_out *out);
void mpl_codec_encode_text(lua_State *L, int idx, struct mpl_codec_out *out);
void mpl_codec_encode_nothing(struct mpl_codec_out *out);
void mpl_codec_release(struct mpl_codec_out *out);
void mpl_codec_decode(lua_State *L, const void *data, size_t size, const uint64_t *refs,
                      size_t nrefs);
bool mpl_codec_is_plain(const void *data);

int mpl_codec_register(lua_State *L);
int mpl_codec_dumps(lua_State *L);
int mpl_codec_loads(lua_State *L);

#endif
