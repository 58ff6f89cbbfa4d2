/*
** Writing into an encoding: storage, pieces, and values that have no parts. The small functions are
** inline because they are the hot path of every queue operation.
**
** While an encoding is written, the pieces that lie in `bytes` have no address yet (the buffer may
** move), and `size` counts the long strings only; mpl_codec_out_finish completes both.
** All of these return false if there is no memory.
*/
#ifndef MPL_BIND_CODEC_OUT_H
#define MPL_BIND_CODEC_OUT_H

#include <stdbool.h>
#include <string.h>

#include "base/endian.h"
#include "bind/codec.h"
#include "bind/codec_format.h"

bool mpl_codec_out_add_piece(struct mpl_codec_out *out, const char *s, size_t n);
bool mpl_codec_out_add_ref(struct mpl_codec_out *out, uint64_t id);
bool mpl_codec_out_finish_pieces(struct mpl_codec_out *out);

static inline void mpl_codec_out_start(struct mpl_codec_out *out) {
  mpl_buf_init(&out->bytes, out->initial_bytes, sizeof out->initial_bytes);
  out->pieces = out->initial_pieces;
  out->pieces_room = sizeof out->initial_pieces / sizeof *out->initial_pieces;
  out->refs = out->initial_refs;
  out->refs_room = sizeof out->initial_refs / sizeof *out->initial_refs;
  out->parcels = false;
  out->npieces = out->size = out->nrefs = out->cut = 0;
}

static inline bool mpl_codec_out_finish(struct mpl_codec_out *out) {
  out->size += out->bytes.size;
  if (out->npieces > 0) return mpl_codec_out_finish_pieces(out);
  out->pieces[0] = (struct mpl_piece){out->bytes.data, out->bytes.size};
  out->npieces = 1;
  return true;
}

/* The place in the message of what is written next. */
static inline size_t mpl_codec_out_place(const struct mpl_codec_out *out) {
  return out->size + out->bytes.size;
}

static inline bool mpl_codec_out_tag(struct mpl_codec_out *out, unsigned tag) {
  if (!mpl_buf_reserve(&out->bytes, 1)) return false;
  out->bytes.data[out->bytes.size++] = (char)tag;
  return true;
}

/* Writes LEB128 at p; returns the end. */
static inline char *mpl_codec_out_put_count(char *p, uint64_t n) {
  for (; n > 0x7f; n >>= 7) *p++ = (char)(n | 0x80);
  *p++ = (char)n;
  return p;
}

static inline bool mpl_codec_out_count(struct mpl_codec_out *out, uint64_t n) {
  if (!mpl_buf_reserve(&out->bytes, CODEC_COUNT_BYTES)) return false;
  char *end = mpl_codec_out_put_count(out->bytes.data + out->bytes.size, n);
  out->bytes.size = (size_t)(end - out->bytes.data);
  return true;
}

static inline bool mpl_codec_out_integer(struct mpl_codec_out *out, lua_Integer n) {
  if (!mpl_buf_reserve(&out->bytes, 9)) return false;
  char *p = out->bytes.data + out->bytes.size;
  uint64_t bits = (uint64_t)n;
  if (bits <= CODEC_MAX_SMALL) {
    p[0] = (char)bits;
    out->bytes.size += 1;
  } else if (n >= INT8_MIN && n <= INT8_MAX) {
    p[0] = (char)TAG_INT8;
    p[1] = (char)bits;
    out->bytes.size += 2;
  } else if (n >= INT16_MIN && n <= INT16_MAX) {
    p[0] = (char)TAG_INT16;
    mpl_endian_put16(p + 1, (uint16_t)bits);
    out->bytes.size += 3;
  } else if (n >= INT32_MIN && n <= INT32_MAX) {
    p[0] = (char)TAG_INT32;
    mpl_endian_put32(p + 1, (uint32_t)bits);
    out->bytes.size += 5;
  } else {
    p[0] = (char)TAG_INT64;
    mpl_endian_put64(p + 1, bits);
    out->bytes.size += 9;
  }
  return true;
}

static inline bool mpl_codec_out_float(struct mpl_codec_out *out, lua_Number x) {
  if (!mpl_buf_reserve(&out->bytes, 9)) return false;
  char *p = out->bytes.data + out->bytes.size;
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  p[0] = (char)TAG_FLOAT;
  mpl_endian_put64(p + 1, bits);
  out->bytes.size += 9;
  return true;
}

/* A string of `inplace` bytes or more is not copied but becomes a piece of its own. */
static inline bool mpl_codec_out_string(struct mpl_codec_out *out, const char *s, size_t n,
                                        size_t inplace) {
  bool apart = n >= inplace;
  size_t copied = apart ? 0 : n;
  if (copied > SIZE_MAX - CODEC_COUNT_BYTES - 1) return false;
  if (!mpl_buf_reserve(&out->bytes, copied + CODEC_COUNT_BYTES + 1)) return false;
  char *p = out->bytes.data + out->bytes.size;
  if (n <= CODEC_MAX_SHORT) {
    *p++ = (char)(TAG_SHORT_STRING + n);
  } else {
    *p++ = (char)TAG_STRING;
    p = mpl_codec_out_put_count(p, n);
  }
  memcpy(p, s, copied);
  out->bytes.size = (size_t)(p + copied - out->bytes.data);
  return !apart || mpl_codec_out_add_piece(out, s, n);
}

#endif
