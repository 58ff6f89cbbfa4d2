/*
** What the files of the dict have in common: its locks, and what is done under them.
*/
#ifndef MPL_DS_DICT_INSIDE_H
#define MPL_DS_DICT_INSIDE_H

#include "ds/dict_table.h"

/* Locks of a dict that the caller holds. `applying` is 0 under them. */
struct mpl_dict_locked {
  struct mpl_dict *dict;
  struct mpl_dict_shard *shard; /* the shard of a key, or the first of all of them */
  uint64_t n;                   /* how many, side by side */
  bool overlay;                 /* and that of the overlay */
  bool begun;                   /* this thread holds the gate: the overlay hides the shards */
};

/* dict_locks.c */
struct mpl_dict_shard *mpl_dict_shards_at(mpl_off split);
struct mpl_dict_shard *mpl_dict_shard_for(struct mpl_dict *d, mpl_off split, uint64_t hash);
enum mpl_status mpl_dict_lock_key(struct mpl_dict *d, uint64_t hash, uint32_t thread,
                                  struct mpl_dict_locked *l);
enum mpl_status mpl_dict_lock_all(struct mpl_dict *d, uint32_t thread, struct mpl_dict_locked *l);
enum mpl_status mpl_dict_lock_all_deaf(struct mpl_dict *d, struct mpl_dict_locked *l);
enum mpl_status mpl_dict_lock_overlay(struct mpl_dict *d);
void mpl_dict_unlock(struct mpl_dict_locked *l);
bool mpl_dict_split_at(struct mpl_dict *d, uint64_t count);

/* dict.c */
enum mpl_status mpl_dict_change_locked(struct mpl_dict_locked *l, struct mpl_dict_op *op,
                                       struct mpl_dict_gone *gone);

/* dict_changes.c */
void mpl_dict_apply(struct mpl_dict_locked *l);

/* dict_whole.c */
void mpl_dict_tx_empty(struct mpl_dict_locked *l, const mpl_off table[MPL_DICT_SHARDS]);
void mpl_dict_tx_drop_overlay(struct mpl_dict *d, bool cleared);
void mpl_dict_free_waste(struct mpl_dict *d);
void mpl_dict_dismantle(void *body);
bool mpl_dict_walk(void *body, bool (*visit)(void *arg, mpl_off block),
                   bool (*ref)(void *arg, uint64_t id), void *arg);

/* The shard, among those that are locked, of a key with this hash. */
static inline struct mpl_dict_shard *mpl_dict_shard_in(const struct mpl_dict_locked *l,
                                                       uint64_t hash) {
  return l->n == 1 ? l->shard : l->shard + hash / (UINT64_MAX / MPL_DICT_SHARDS + 1);
}

/* Where the key is in the shards, as far as the holder of the gate has not removed all. */
static inline struct mpl_dict_spot mpl_dict_find_below(const struct mpl_dict_locked *l,
                                                       const struct mpl_dict_key *key) {
  if (l->begun && mpl_load64_rlx(&l->dict->cleared) != 0) return (struct mpl_dict_spot){0};
  return mpl_dict_table_find(mpl_dict_shard_in(l, key->hash), key);
}

#endif
