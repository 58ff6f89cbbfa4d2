/*
** The map of codec_seen.h.
*/
#include "bind/codec_seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Begins empty. The struct must not be moved afterwards. */
void mpl_codec_seen_init(struct mpl_codec_seen *s) {
  s->entries = s->few;
  s->count = 0;
  s->room = MPL_CODEC_SEEN_FEW;
  s->index = NULL;
  s->slots = 0;
}

void mpl_codec_seen_free(struct mpl_codec_seen *s) {
  if (s->entries != s->few) free(s->entries);
  free(s->index);
}

/* The slot where a search for the key begins: Fibonacci hashing (Knuth, TAOCP 3, 6.4), as addresses
   and ids differ in a few low bits only. */
static size_t first_slot(const struct mpl_codec_seen *s, uint64_t key) {
  return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (s->slots - 1);
}

/* Returns the entry of a key, or NULL; valid until the next add. */
struct mpl_codec_seen_entry *mpl_codec_seen_find(const struct mpl_codec_seen *s, uint64_t key) {
  if (s->index == NULL) {
    for (size_t i = 0; i < s->count; i++)
      if (s->entries[i].key == key) return &s->entries[i];
    return NULL;
  }
  for (size_t i = first_slot(s, key); s->index[i] != 0; i = (i + 1) & (s->slots - 1)) {
    struct mpl_codec_seen_entry *entry = &s->entries[s->index[i] - 1];
    if (entry->key == key) return entry;
  }
  return NULL;
}

static void enter(struct mpl_codec_seen *s, size_t position) {
  size_t i = first_slot(s, s->entries[position].key);
  while (s->index[i] != 0) i = (i + 1) & (s->slots - 1);
  s->index[i] = (uint32_t)(position + 1);
}

/* Makes room for one more entry, in the array and in the index. */
static bool grow(struct mpl_codec_seen *s) {
  if (s->room >= UINT32_MAX / 4) return false;
  size_t room = s->room;
  struct mpl_codec_seen_entry *entries =
    mpl_buf_enlarge(s->entries, s->few, sizeof *entries, &room, room + 1);
  if (entries == NULL) return false;
  s->entries = entries;
  s->room = room;
  size_t slots = 1;
  while (slots < room * 2) slots *= 2;
  uint32_t *index = realloc(s->index, slots * sizeof *index);
  if (index == NULL) return false;
  memset(index, 0, slots * sizeof *index);
  s->index = index;
  s->slots = slots;
  for (size_t i = 0; i < s->count; i++) enter(s, i);
  return true;
}

/* Adds a key that is not there; its number is the count before. Returns false if there is no
   memory: then the map may only be freed. */
bool mpl_codec_seen_add(struct mpl_codec_seen *s, uint64_t key, size_t place) {
  if (s->count == s->room && !grow(s)) return false;
  s->entries[s->count] = (struct mpl_codec_seen_entry){key, place};
  s->count++;
  if (s->index != NULL) enter(s, s->count - 1);
  return true;
}

/* Takes back the entries that were added last, so that `count` are left, if there are more. In this
   order an entry is in no other's way: what is searched for past it was added after it. */
void mpl_codec_seen_cut(struct mpl_codec_seen *s, size_t count) {
  while (s->count > count) {
    size_t position = --s->count;
    if (s->index == NULL) continue;
    size_t i = first_slot(s, s->entries[position].key);
    while (s->index[i] != position + 1) i = (i + 1) & (s->slots - 1);
    s->index[i] = 0;
  }
}
