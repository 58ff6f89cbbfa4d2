/*
** The shards of a dict and their locks.
**
** `split` is published under the lock of `first`, once: who has locked `first` looks at it again.
** Locks are taken in the order of the shards, and that of the overlay last. Whoever gets one and
** finds `applying` set, whose setter then has died, ends what that one began before anything else.
*/
#include "ds/dict_inside.h"
#include "ds/section.h"
#include "shm/heap.h"
#include "shm/slot.h"
#include "shm/super.h"

#define SPLIT_ALIGN ((uint64_t)128) /* two cache lines, which are fetched together */
#define SPLIT_SIZE (MPL_DICT_SHARDS * sizeof(struct mpl_dict_shard) + SPLIT_ALIGN)
_Static_assert(sizeof(struct mpl_dict_shard) % SPLIT_ALIGN == 0, "no two shards share a line");

/* The shards in the block `split`. */
struct mpl_dict_shard *mpl_dict_shards_at(mpl_off split) {
  mpl_off at = (split + SPLIT_ALIGN - 1) & ~(SPLIT_ALIGN - 1);
  return mpl_arena_at(at, MPL_DICT_SHARDS * sizeof(struct mpl_dict_shard));
}

/* The shard of a key with this hash; `split` as the caller has read it. */
struct mpl_dict_shard *mpl_dict_shard_for(struct mpl_dict *d, mpl_off split, uint64_t hash) {
  if (split == 0) return &d->first;
  struct mpl_dict_locked all = {.shard = mpl_dict_shards_at(split), .n = MPL_DICT_SHARDS};
  return mpl_dict_shard_in(&all, hash);
}

/*
** Locks
*/

/* Deaf: no signal ends it. */
static enum mpl_status enter(struct mpl_robust *lock, bool deaf) {
  if (!deaf) return mpl_section_enter(lock, MPL_NEVER);
  return mpl_robust_lock(lock) == MPL_DAMAGED ? MPL_DAMAGED : MPL_OK;
}

/* Releases them. */
void mpl_dict_unlock(struct mpl_dict_locked *l) {
  if (l->overlay) mpl_robust_unlock(&l->dict->overlay.lock);
  l->overlay = false;
  while (l->n > 0) mpl_robust_unlock(&l->shard[--l->n].lock);
}

/* Takes the locks of `n` shards from l->shard on, and that of the overlay if wanted. */
static enum mpl_status enter_shards(struct mpl_dict_locked *l, uint64_t n, bool overlay,
                                    bool deaf) {
  enum mpl_status s = MPL_OK;
  l->overlay = false;
  for (l->n = 0; s == MPL_OK && l->n < n; l->n += s == MPL_OK)
    s = enter(&l->shard[l->n].lock, deaf);
  if (s == MPL_OK && overlay) {
    s = enter(&l->dict->overlay.lock, deaf);
    l->overlay = s == MPL_OK;
  }
  if (s != MPL_OK) mpl_dict_unlock(l);
  return s;
}

/* All locks, whatever the number of shards becomes meanwhile. */
static enum mpl_status lock_all(struct mpl_dict *d, bool deaf, struct mpl_dict_locked *l) {
  for (;;) {
    mpl_off split = mpl_load64_acq(&d->split);
    l->dict = d;
    l->shard = split == 0 ? &d->first : mpl_dict_shards_at(split);
    enum mpl_status s = enter_shards(l, split == 0 ? 1 : MPL_DICT_SHARDS, true, deaf);
    if (s != MPL_OK) return s;
    if (split == mpl_load64_rlx(&d->split)) break;
    mpl_dict_unlock(l);
  }
  if (mpl_load64_rlx(&d->applying) != 0) mpl_dict_apply(l);
  return MPL_OK;
}

/* Takes all locks, for this thread. MPL_OK; MPL_SIGNAL or MPL_DAMAGED without. */
enum mpl_status mpl_dict_lock_all(struct mpl_dict *d, uint32_t thread, struct mpl_dict_locked *l) {
  l->begun = mpl_dict_is_begun(d, thread);
  return lock_all(d, false, l);
}

/* The same for the holder of the gate, whom no signal stops. MPL_OK or MPL_DAMAGED. */
enum mpl_status mpl_dict_lock_all_deaf(struct mpl_dict *d, struct mpl_dict_locked *l) {
  l->begun = true;
  return lock_all(d, true, l);
}

/* A dead process was applying its changes: goes on with it. */
static enum mpl_status go_on(struct mpl_dict *d, bool deaf) {
  struct mpl_dict_locked l = {0};
  enum mpl_status s = lock_all(d, deaf, &l);
  if (s != MPL_OK) return s;
  mpl_dict_unlock(&l);
  mpl_tx_wake_flush();
  return MPL_OK;
}

/* Takes the lock of the shard of a key, and that of the overlay if this thread holds the gate.
   MPL_OK; MPL_SIGNAL or MPL_DAMAGED without. */
enum mpl_status mpl_dict_lock_key(struct mpl_dict *d, uint64_t hash, uint32_t thread,
                                  struct mpl_dict_locked *l) {
  l->dict = d;
  l->begun = mpl_dict_is_begun(d, thread);
  for (;;) {
    mpl_off split = mpl_load64_acq(&d->split);
    l->shard = mpl_dict_shard_for(d, split, hash);
    enum mpl_status s = enter_shards(l, 1, l->begun, false);
    if (s != MPL_OK) return s;
    bool ended = mpl_load64_rlx(&d->applying) == 0;
    if (ended && (split != 0 || mpl_load64_rlx(&d->split) == 0)) return MPL_OK;
    mpl_dict_unlock(l);
    if (!ended) s = go_on(d, false);
    if (s != MPL_OK) return s;
  }
}

/* Takes the lock of the overlay alone. MPL_OK, or MPL_DAMAGED without. */
enum mpl_status mpl_dict_lock_overlay(struct mpl_dict *d) {
  for (;;) {
    if (mpl_robust_lock(&d->overlay.lock) == MPL_DAMAGED) return MPL_DAMAGED;
    if (mpl_load64_rlx(&d->applying) == 0) return MPL_OK;
    mpl_robust_unlock(&d->overlay.lock);
    if (go_on(d, true) != MPL_OK) return MPL_DAMAGED;
  }
}

/*
** The split
*/

/* Makes the tables of the shards, in the hand; table[k] is 0 for one that stays empty. */
static enum mpl_status make_tables(const struct mpl_dict_table *from, struct mpl_dict_shard *shards,
                                   mpl_off table[MPL_DICT_SHARDS]) {
  struct mpl_dict_locked all = {.shard = shards, .n = MPL_DICT_SHARDS};
  uint64_t used = from != NULL ? mpl_load64_rlx(&from->used) : 0;
  uint64_t capacity = from != NULL ? mpl_dict_table_capacity_for(mpl_load64_rlx(&from->top)) : 0;
  for (uint64_t i = 0; i < used; i++) {
    const struct mpl_dict_entry *e = mpl_dict_table_entry(from, i);
    if (e == NULL) continue;
    struct mpl_dict_shard *shard = mpl_dict_shard_in(&all, mpl_dict_entry_key(e).hash);
    mpl_off *t = &table[shard - shards];
    if (*t == 0) {
      enum mpl_status s = mpl_dict_table_new(capacity, t);
      if (s != MPL_OK) return s;
    }
    mpl_dict_table_fill(mpl_dict_table_at(*t), mpl_load64_rlx(&from->place[i]));
    mpl_store64_rlx(&shard->table, *t);
    mpl_store64_rlx(&shard->count, mpl_load64_rlx(&shard->count) + 1);
  }
  return MPL_OK;
}

static enum mpl_status make_shards(mpl_off *split) {
  enum mpl_status s = mpl_heap_alloc(SPLIT_SIZE, split);
  if (s != MPL_OK) return s;
  struct mpl_dict_shard *shards = mpl_dict_shards_at(*split);
  for (uint32_t i = 0; s == MPL_OK && i < MPL_DICT_SHARDS; i++) {
    s = mpl_robust_init(&shards[i].lock, MPL_RANK_STRUCTURE + i);
    mpl_store64_rlx(&shards[i].table, 0);
    mpl_store64_rlx(&shards[i].count, 0);
    mpl_store64_rlx(&shards[i].writes, 0);
  }
  return s;
}

/* Moves all entries from `first` to new shards; its lock is held. What is made is in the hand
   before. */
static bool split_locked(struct mpl_dict *d) {
  mpl_off split = 0, table[MPL_DICT_SHARDS] = {0}, old = mpl_load64_rlx(&d->first.table);
  enum mpl_status s = make_shards(&split);
  if (s == MPL_OK)
    s = make_tables(mpl_dict_table_of(&d->first), mpl_dict_shards_at(split), table);
  if (s == MPL_OK) {
    for (int i = 0; i < MPL_DICT_SHARDS; i++)
      if (table[i] != 0) mpl_hand_take(mpl_self, table[i]);
    mpl_hand_take(mpl_self, split);
    if (old != 0) mpl_hand_put(mpl_self, old, MPL_HAND_BLOCK);
    mpl_tx_store(&d->first.table, 0);
    mpl_tx_store(&d->first.count, 0);
    mpl_tx_publish(&d->split, split);
    mpl_tx_commit();
    if (old != 0) mpl_heap_free(mpl_self, old);
    return true;
  }
  for (int i = 0; i < MPL_DICT_SHARDS; i++)
    if (table[i] != 0) mpl_heap_free(mpl_self, table[i]);
  if (split != 0) mpl_heap_free(mpl_self, split);
  return false;
}

/* Splits the dict if it has not been and has, or is to get, at least `count` entries, where it is
   worth while. False if it stays as it is: without memory, or when a signal ends the wait for the
   lock, too. No lock is held. */
bool mpl_dict_split_at(struct mpl_dict *d, uint64_t count) {
  bool done = false;
  if (count < MPL_DICT_SMALL || mpl_load64_acq(&d->split) != 0) return false;
  if (enter(&d->first.lock, false) != MPL_OK) return false;
  if (mpl_load64_rlx(&d->split) == 0 && mpl_load64_rlx(&d->applying) == 0) done = split_locked(d);
  mpl_robust_unlock(&d->first.lock);
  return done;
}
