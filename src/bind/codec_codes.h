/*
** Code that is sent once: who sends the same functions to the same receiver again and again keeps a
** set of what that one has, and later messages name code in the set by its hash alone.
**
** Invariant: a code is in the set only if a message that brought it was made with the set. Whether
** that message arrived is for the sender to know: it takes back what did not (cut). A receiver that
** lacks a code after all says so with the error MPL_CODEC_CODES_UNKNOWN.
*/
#ifndef MPL_BIND_CODEC_CODES_H
#define MPL_BIND_CODEC_CODES_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bind/codec_seen.h"

/* Codes in a set; what comes later travels whole each time. */
#define MPL_CODEC_CODES_MAX 1000

/* The whole error value: it can be compared. */
#define MPL_CODEC_CODES_UNKNOWN "a function was sent by the hash of code that this process lacks"

struct mpl_codec_codes {
  struct mpl_codec_seen sent; /* hashes, in the order in which they were sent first */
};

void mpl_codec_codes_open(lua_State *L);
struct mpl_codec_codes *mpl_codec_codes_check(lua_State *L, int idx);
void mpl_codec_codes_add(struct mpl_codec_codes *codes, const struct mpl_codec_seen *message);
void mpl_codec_codes_cut(struct mpl_codec_codes *codes, size_t n);

void mpl_codec_codes_keep(lua_State *L, uint64_t hash, const char *bytes, size_t n);
const char *mpl_codec_codes_push(lua_State *L, uint64_t hash, size_t *n);

static inline bool mpl_codec_codes_has(const struct mpl_codec_codes *codes, uint64_t hash) {
  return mpl_codec_seen_find(&codes->sent, hash) != NULL;
}

#endif
