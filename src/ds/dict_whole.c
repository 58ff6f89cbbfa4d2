/*
** A dict as a whole: its size, its end, and the removal of all.
**
** Tables are cut off in one section and then lie in the waste of the dict, a list, until their
** entries are freed one by one; after a death whoever is the next to have something there goes on
** with it.
*/
#include "ds/dict_inside.h"
#include "shm/heap.h"
#include "shm/message.h"
#include "shm/slot.h"

#define FREED_AT_ONCE 16 /* entries, under one hold of the lock */
#define TRIM_LEAST 65536 /* entries; after the removal of so many the system gets their memory */

/* Number of entries that this thread sees; *count is exact. MPL_OK, MPL_SIGNAL, MPL_DAMAGED. */
enum mpl_status mpl_dict_count(struct mpl_dict *d, uint32_t thread, uint64_t *count) {
  struct mpl_dict_locked l;
  enum mpl_status s = mpl_dict_lock_all(d, thread, &l);
  if (s != MPL_OK) return s;
  bool cleared = l.begun && mpl_load64_rlx(&d->cleared) != 0;
  *count = 0;
  for (uint64_t k = 0; !cleared && k < l.n; k++) *count += mpl_load64_rlx(&l.shard[k].count);
  const struct mpl_dict_table *t = l.begun ? mpl_dict_table_of(&d->overlay) : NULL;
  uint64_t n = t != NULL ? mpl_load64_rlx(&t->used) : 0;
  for (uint64_t i = 0; i < n; i++) {
    const struct mpl_dict_entry *e = mpl_dict_table_entry(t, i);
    if (e == NULL) continue;
    struct mpl_dict_key key = mpl_dict_entry_key(e);
    bool before = mpl_dict_find_below(&l, &key).entry != NULL;
    *count += (uint64_t)(mpl_load64_rlx(&e->value) != 0) - before;
  }
  mpl_dict_unlock(&l);
  mpl_tx_wake_flush();
  return MPL_OK;
}

/*
** Waste
*/

/* In a section: the shard gets this table, or 0: none, and its own becomes the first of the waste.
   */
static mpl_off tx_cut(struct mpl_dict_shard *shard, mpl_off table, mpl_off waste) {
  mpl_off old = mpl_load64_rlx(&shard->table);
  if (old != 0) {
    mpl_tx_store(&mpl_dict_table_at(old)->next, waste);
    waste = old;
  }
  if (old != table) mpl_tx_store(&shard->table, table);
  if (table != 0) mpl_hand_take(mpl_self, table);
  if (mpl_load64_rlx(&shard->count) != 0) mpl_tx_store(&shard->count, 0);
  return waste;
}

/* In a section, with all locks: removes all entries. Each shard gets a table out of the hand, or
   none. `first.writes` counts for all shards. */
void mpl_dict_tx_empty(struct mpl_dict_locked *l, const mpl_off table[MPL_DICT_SHARDS]) {
  struct mpl_dict *d = l->dict;
  mpl_off waste = mpl_load64_rlx(&d->waste);
  for (uint64_t k = 0; k < l->n; k++) waste = tx_cut(&l->shard[k], table[k], waste);
  mpl_tx_store(&d->waste, waste);
  mpl_tx_publish(&d->first.writes, mpl_load64_rlx(&d->first.writes) + 1);
}

/* In a section under the lock of the overlay: empties that; `cleared` is what it then begins with.
   */
void mpl_dict_tx_drop_overlay(struct mpl_dict *d, bool cleared) {
  if (mpl_load64_rlx(&d->overlay.table) != 0)
    mpl_tx_store(&d->waste, tx_cut(&d->overlay, 0, mpl_load64_rlx(&d->waste)));
  if (mpl_load64_rlx(&d->cleared) != cleared) mpl_tx_store(&d->cleared, cleared);
}

/* Frees one entry of the waste, or a table that has none left. The lock of the overlay is held, or
   nobody else knows the dict. False: there was nothing. */
static bool free_one(struct mpl_dict *d) {
  struct mpl_dict_gone gone = {0};
  struct mpl_value v;
  mpl_off first = mpl_load64_rlx(&d->waste);
  if (first == 0) return false;
  struct mpl_dict_table *t = mpl_dict_table_at(first);
  uint64_t n = mpl_load64_rlx(&t->used);
  while (n > 0 && mpl_load64_rlx(&t->place[n - 1]) == 0) n--;
  if (n == 0) {
    mpl_tx_store(&d->waste, mpl_load64_rlx(&t->next));
    gone.table = first;
    mpl_hand_put(mpl_self, first, MPL_HAND_BLOCK);
  } else {
    const struct mpl_dict_entry *e = mpl_dict_table_entry(t, n - 1);
    mpl_tx_store(&t->used, n - 1);
    gone.entry = mpl_arena_off(e);
    mpl_hand_put(mpl_self, gone.entry, MPL_HAND_BLOCK);
    if (mpl_dict_entry_value(e, &v) && v.message != 0) {
      gone.message = v.message;
      mpl_hand_put(mpl_self, v.message, MPL_HAND_MESSAGE);
    }
  }
  mpl_tx_commit();
  mpl_dict_gone_drop(&gone);
  return true;
}

/* Frees all waste. No lock is held. */
void mpl_dict_free_waste(struct mpl_dict *d) {
  bool more = mpl_load64_rlx(&d->waste) != 0, any = more;
  while (more) {
    if (mpl_dict_lock_overlay(d) != MPL_OK) return;
    for (int i = 0; more && i < FREED_AT_ONCE; i++) more = free_one(d);
    mpl_robust_unlock(&d->overlay.lock);
  }
  if (any) mpl_object_bury();
}

/* Removes all entries: for the holder of the gate in the overlay, else in the dict. MPL_OK;
   MPL_BLOCK with w filled: somebody else has the gate; MPL_SIGNAL, MPL_DAMAGED. No lock is held. */
enum mpl_status mpl_dict_clear(struct mpl_dict *d, uint32_t thread, struct mpl_wait *w) {
  static const mpl_off none[MPL_DICT_SHARDS] = {0};
  struct mpl_dict_locked l;
  enum mpl_status s = mpl_dict_lock_all(d, thread, &l);
  if (s != MPL_OK) return s;
  s = mpl_gate_pass(&d->gate, thread, w);
  uint64_t entries = 0;
  for (uint64_t k = 0; k < l.n; k++) entries += mpl_load64_rlx(&l.shard[k].count);
  if (s == MPL_OK) {
    if (l.begun) {
      mpl_dict_tx_drop_overlay(d, true);
    } else {
      mpl_dict_tx_empty(&l, none);
      mpl_tx_wake(&d->changed, MPL_EC_ALL);
    }
    mpl_tx_commit();
  }
  mpl_dict_unlock(&l);
  mpl_tx_wake_flush();
  if (s != MPL_OK) return s;
  mpl_dict_free_waste(d);
  if (entries >= TRIM_LEAST && !l.begun) mpl_heap_trim();
  return MPL_OK;
}

/*
** The end
*/

/* See struct mpl_object_ops: each step is a section. */
void mpl_dict_dismantle(void *body) {
  static const mpl_off none[MPL_DICT_SHARDS] = {0};
  struct mpl_dict *d = body;
  mpl_off split = mpl_load64_rlx(&d->split);
  struct mpl_dict_locked l = {.dict = d, .shard = &d->first, .n = 1};
  if (split != 0) {
    l.shard = mpl_dict_shards_at(split);
    l.n = MPL_DICT_SHARDS;
  }
  mpl_dict_tx_empty(&l, none);
  mpl_tx_commit();
  mpl_dict_tx_drop_overlay(d, false);
  mpl_tx_commit();
  while (free_one(d)) {}
  if (split == 0) return;
  mpl_hand_put(mpl_self, split, MPL_HAND_BLOCK);
  mpl_tx_store(&d->split, 0);
  mpl_tx_commit();
  mpl_heap_free(mpl_self, split);
}

/*
** The checker
*/

/* The entries of shard k are of its keys, and stand in the order of their serials. */
static bool is_sorted(struct mpl_dict *d, mpl_off split, struct mpl_dict_shard *shard) {
  const struct mpl_dict_table *t = mpl_dict_table_of(shard);
  uint64_t last = 0, n = t != NULL ? mpl_load64_rlx(&t->used) : 0;
  for (uint64_t i = 0; i < n; i++) {
    const struct mpl_dict_entry *e = mpl_dict_table_entry(t, i);
    if (e == NULL) continue;
    uint64_t serial = mpl_load64_rlx(&e->serial);
    if (serial <= last || serial >= mpl_load64_rlx(&d->serial)) return false;
    if (mpl_load64_rlx(&e->value) == 0) return false;
    if (mpl_dict_shard_for(d, split, mpl_dict_entry_key(e).hash) != shard) return false;
    last = serial;
  }
  return true;
}

/* See struct mpl_object_ops. */
bool mpl_dict_walk(void *body, bool (*visit)(void *arg, mpl_off block),
                   bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_dict *d = body;
  mpl_off split = mpl_load64_rlx(&d->split);
  struct mpl_dict_shard *shard = &d->first;
  if (split != 0) {
    if (!visit(arg, split) || mpl_load64_rlx(&d->first.table) != 0) return false;
    shard = mpl_dict_shards_at(split);
  }
  for (int k = 0; k < (split != 0 ? MPL_DICT_SHARDS : 1); k++) {
    if (!mpl_dict_table_walk(mpl_load64_rlx(&shard[k].table), &shard[k], visit, ref, arg))
      return false;
    if (!is_sorted(d, split, &shard[k])) return false;
  }
  if (!mpl_dict_table_walk(mpl_load64_rlx(&d->overlay.table), &d->overlay, visit, ref, arg))
    return false;
  mpl_off t = mpl_load64_rlx(&d->waste);
  for (; t != 0; t = mpl_load64_rlx(&mpl_dict_table_at(t)->next))
    if (!mpl_dict_table_walk(t, NULL, visit, ref, arg)) return false;
  return mpl_load64_rlx(&d->applying) <= 1 && mpl_load64_rlx(&d->cleared) <= 1;
}
