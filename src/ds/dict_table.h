/*
** The table of a dict's shard, and its entries.
**
** An entry is a block of its own, so that it stays where it is when tables grow. A table is one
** block: its head, the places, which are the entries in the order of their insertion, and an index
** by hash that says the place, by open addressing:
**
**   place   offset of the entry / 16 in bits 0-39, bits of the key's hash above; 0: removed
**   index   numbers of 32 bits, two in a word: place + 1, or 0: empty
**
** What is in the index stays there until the table is built anew: a place from which the entry was
** removed matches no key. There are twice as many numbers as places, so that a search always comes
** to an empty one.
**
** All functions want the shard's lock. Those with `tx` in their name are part of the caller's
** section.
*/
#ifndef MPL_DS_DICT_TABLE_H
#define MPL_DS_DICT_TABLE_H

#include "ds/dict.h"

#define MPL_DICT_OFF_BITS 40
#define MPL_DICT_HASH_BITS 24

struct mpl_dict_table {
  mpl_a64 next;      /* in the waste of the dict: block, 0: last */
  uint64_t capacity; /* places; fixed */
  mpl_a64 used;      /* places in use, those of removed entries included */
  mpl_a64 top;       /* from here to `used` all are removed; a hint, may be too high */
  mpl_a64 place[];   /* `capacity` of them, then as many words of the index */
};

struct mpl_dict_entry {
  mpl_a64 serial;    /* the order of insertion */
  uint64_t key_size; /* fixed, as the key is */
  mpl_a64 value;     /* size << 1 | 1: inline; a message; 0: the key is removed (in an overlay) */
  mpl_a64 word[];    /* the key's bytes, then the value's, to the end of the block */
};

/* Where a key is. */
struct mpl_dict_spot {
  struct mpl_dict_entry *entry; /* NULL: nowhere */
  uint64_t place;
};

/* What a section took out of the table and put into the hand, 0: nothing. */
struct mpl_dict_gone {
  mpl_off entry, message, table;
};

void mpl_dict_gone_drop(struct mpl_dict_gone *gone);

/* Entries. A value of NULL stands for a removed key. */
enum mpl_status mpl_dict_entry_new(const struct mpl_dict_key *key, const struct mpl_value *v,
                                   uint64_t serial, mpl_off *out);
bool mpl_dict_entry_fits(const struct mpl_dict_entry *e, const struct mpl_value *v);
void mpl_dict_entry_tx_set(struct mpl_dict_entry *e, const struct mpl_value *v,
                           struct mpl_dict_gone *gone);
struct mpl_dict_key mpl_dict_entry_key(const struct mpl_dict_entry *e);
bool mpl_dict_entry_value(const struct mpl_dict_entry *e, struct mpl_value *v);

/* The table. */
struct mpl_dict_table *mpl_dict_table_at(mpl_off table);
struct mpl_dict_table *mpl_dict_table_of(const struct mpl_dict_shard *shard);
struct mpl_dict_entry *mpl_dict_table_entry(const struct mpl_dict_table *t, uint64_t place);
struct mpl_dict_spot mpl_dict_table_find(const struct mpl_dict_shard *shard,
                                         const struct mpl_dict_key *key);
enum mpl_status mpl_dict_table_new(uint64_t capacity, mpl_off *out);
void mpl_dict_table_fill(struct mpl_dict_table *t, uint64_t place);
enum mpl_status mpl_dict_table_room(struct mpl_dict_shard *shard, uint64_t more);
void mpl_dict_table_shrink(struct mpl_dict_shard *shard);
void mpl_dict_table_tx_add(struct mpl_dict_shard *shard, uint64_t hash, mpl_off entry);
void mpl_dict_table_tx_take(struct mpl_dict_shard *shard, struct mpl_dict_spot at);
void mpl_dict_table_tx_swap(struct mpl_dict_shard *shard, struct mpl_dict_spot at, mpl_off entry,
                            struct mpl_dict_gone *gone);
void mpl_dict_table_tx_remove(struct mpl_dict_shard *shard, struct mpl_dict_spot at,
                              struct mpl_dict_gone *gone);

/* For the checker. */
bool mpl_dict_table_walk(mpl_off table, const struct mpl_dict_shard *shard,
                         bool (*visit)(void *arg, mpl_off block),
                         bool (*ref)(void *arg, uint64_t id), void *arg);

static inline uint64_t mpl_dict_table_capacity_for(uint64_t entries) {
  return entries + entries / 2 + 4;
}

#endif
