/*
** The globals that a function's code names: what goes along with a function that is sent.
*/
#ifndef MPL_BIND_CODEC_GLOBALS_H
#define MPL_BIND_CODEC_GLOBALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of upvalues, of which a function has at most 255. */
struct mpl_codec_upvalues {
  uint64_t words[4];
};

static inline void mpl_codec_upvalues_add(struct mpl_codec_upvalues *set, unsigned n) {
  set->words[n / 64 % 4] |= UINT64_C(1) << n % 64;
}

static inline bool mpl_codec_upvalues_has(const struct mpl_codec_upvalues *set, unsigned n) {
  return n < 256 && (set->words[n / 64] >> n % 64 & 1) != 0;
}

/* Called with each name, which points into the code; perhaps several times with the same. Returns
   false to give up. */
typedef bool mpl_codec_globals_note(void *to, const char *name, size_t n);

bool mpl_codec_globals_find(const char *code, size_t size, const struct mpl_codec_upvalues *env,
                            mpl_codec_globals_note *note, void *to);

#endif
