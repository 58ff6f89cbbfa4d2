/*
** What an encoding has met already: a map from a key (an address, an id, a hash) to the number of
** its first mention, counted from 0, and a place in the message.
**
** Private memory only, no Lua. The first few entries are searched one by one and live in the
** struct, so a small message allocates nothing; beyond that an index with open addressing is built.
*/
#ifndef MPL_BIND_CODEC_SEEN_H
#define MPL_BIND_CODEC_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MPL_CODEC_SEEN_FEW = 12 };

struct mpl_codec_seen_entry {
  uint64_t key;
  size_t place;
};

struct mpl_codec_seen {
  struct mpl_codec_seen_entry *entries; /* in order of mention */
  size_t count;
  size_t room;
  uint32_t *index; /* positions + 1 in entries, 0 for empty; NULL while there are few */
  size_t slots;    /* of index: a power of two, at least twice `count` */
  struct mpl_codec_seen_entry few[MPL_CODEC_SEEN_FEW];
};

void mpl_codec_seen_init(struct mpl_codec_seen *s);
void mpl_codec_seen_free(struct mpl_codec_seen *s);
struct mpl_codec_seen_entry *mpl_codec_seen_find(const struct mpl_codec_seen *s, uint64_t key);
void mpl_codec_seen_cut(struct mpl_codec_seen *s, size_t count);
bool mpl_codec_seen_add(struct mpl_codec_seen *s, uint64_t key, size_t place);

#endif
