/*
** The state of a decoding, shared by codec_decode.c (the walk, tables, values without parts) and
** codec_closure.c (functions and the globals that came along), and by nobody else.
*/
#ifndef MPL_BIND_CODEC_DECODER_H
#define MPL_BIND_CODEC_DECODER_H

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "bind/codec_format.h"

/* What the value that has just been pushed is for. */
enum step { BEGIN, ELEMENT, KEY, VALUE, UPVALUE };

struct frame {
  bool is_function;
  bool has_class; /* its metatable lies below the table */
  enum step step;
  uint32_t elements; /* of the list, in all */
  uint32_t done;     /* elements or upvalues that have a value */
};

struct decoder {
  lua_State *L;
  const unsigned char *begin;
  const unsigned char *at;
  const unsigned char *end;
  const uint64_t *refs;
  size_t nrefs;
  int base;         /* of the stack slots below. From here on for a message with parts only. */
  size_t slots;     /* that tables may still make room for */
  uint64_t objects; /* tables, functions and upvalues so far */
  size_t depth;
  size_t room;
  struct frame *frames;
};

/* Stack slots, relative to `base`. */
enum {
  SHARED = 1, /* nil, or the table of what is mentioned again: number -> table or function; for an
                 upvalue number -> function and -number -> its index there */
  FRAMES,     /* nil, or the userdata that holds the frames when they are many */
  DEFINED,    /* nil, or the table of definitions: name -> value */
  NAMES,
  RESULT
};

static inline _Noreturn void decoder_damaged(lua_State *L, const char *how) {
  luaL_error(L, "damaged message: %s", how);
  abort(); /* luaL_error does not return, but is not declared so */
}

static inline const unsigned char *decoder_take(struct decoder *d, size_t n) {
  if ((size_t)(d->end - d->at) < n) decoder_damaged(d->L, "it is cut short");
  const unsigned char *p = d->at;
  d->at += n;
  return p;
}

/* Reads LEB128. */
static inline uint64_t decoder_take_count(struct decoder *d) {
  uint64_t n = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    unsigned char byte = *decoder_take(d, 1);
    n |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return n;
  }
  decoder_damaged(d->L, "a count is too large");
}

/* Whether this tag comes next, which is then taken. */
static inline bool decoder_take_tag(struct decoder *d, unsigned tag) {
  if (d->at == d->end || *d->at != tag) return false;
  d->at++;
  return true;
}

/* codec_decode.c */
struct frame *mpl_codec_decoder_frame(struct decoder *d);
bool mpl_codec_decoder_value(struct decoder *d);
void mpl_codec_decoder_whole(struct decoder *d);
void mpl_codec_decoder_string(struct decoder *d);
lua_Integer mpl_codec_decoder_note(struct decoder *d, unsigned tag);
lua_Integer mpl_codec_decoder_earlier(struct decoder *d);

/* codec_closure.c */
void mpl_codec_closure_open(struct decoder *d, unsigned tag);
bool mpl_codec_closure_upvalues(struct decoder *d, struct frame *f);
void mpl_codec_closure_definitions(struct decoder *d);

#endif
