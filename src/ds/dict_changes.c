/*
** Changes that happen at once: begin, commit, abandon.
**
** They are collected in the overlay, by the holder of the gate. The commit first makes room for all
** of them, so that nothing can fail afterwards; then one section sets `applying`, and from there on
** they have happened. They are moved over one by one, a section each, under all locks; whoever gets
** a lock because the process died meanwhile goes on with it.
*/
#include "ds/dict_inside.h"
#include "shm/heap.h"
#include "shm/recover.h"
#include "shm/slot.h"

/*
** Applying
*/

/* A section: entry `at` of the overlay goes where it belongs. A key that is there keeps its place.
   */
static void apply_one(struct mpl_dict_locked *l, struct mpl_dict_spot at) {
  struct mpl_dict *d = l->dict;
  struct mpl_dict_gone gone = {0}, mark = {0};
  struct mpl_dict_key key = mpl_dict_entry_key(at.entry);
  struct mpl_dict_shard *shard = mpl_dict_shard_in(l, key.hash);
  struct mpl_dict_spot present = mpl_dict_table_find(shard, &key);
  if (mpl_load64_rlx(&at.entry->value) == 0) {
    mpl_dict_table_tx_remove(&d->overlay, at, &mark);
    if (present.entry != NULL) mpl_dict_table_tx_remove(shard, present, &gone);
  } else {
    mpl_dict_table_tx_take(&d->overlay, at);
    if (present.entry != NULL) {
      mpl_tx_store(&at.entry->serial, mpl_load64_rlx(&present.entry->serial));
      mpl_dict_table_tx_swap(shard, present, mpl_arena_off(at.entry), &gone);
    } else {
      mpl_tx_store(&at.entry->serial, mpl_add64_ar(&d->serial, 1));
      mpl_dict_table_tx_add(shard, key.hash, mpl_arena_off(at.entry));
    }
  }
  mpl_tx_publish(&shard->writes, mpl_load64_rlx(&shard->writes) + 1);
  mpl_tx_commit();
  mpl_dict_gone_drop(&gone);
  mpl_dict_gone_drop(&mark);
}

/* Applies what is in the overlay, or the rest of it; `applying` is set, and all locks are held. Who
   is waiting is noted for mpl_tx_wake_flush. */
void mpl_dict_apply(struct mpl_dict_locked *l) {
  struct mpl_dict *d = l->dict;
  mpl_off table = mpl_load64_rlx(&d->overlay.table);
  const struct mpl_dict_table *t = mpl_dict_table_of(&d->overlay);
  uint64_t n = t != NULL ? mpl_load64_rlx(&t->used) : 0;
  for (uint64_t i = 0; i < n; i++) {
    struct mpl_dict_entry *e = mpl_dict_table_entry(t, i);
    if (e != NULL) apply_one(l, (struct mpl_dict_spot){.entry = e, .place = i});
  }
  if (table != 0) {
    mpl_tx_store(&d->overlay.table, 0);
    mpl_hand_put(mpl_self, table, MPL_HAND_BLOCK);
  }
  mpl_tx_store(&d->applying, 0);
  mpl_tx_wake(&d->changed, MPL_EC_ALL);
  mpl_tx_commit();
  if (table != 0) mpl_heap_free(mpl_self, table);
  for (uint64_t k = 0; k < l->n; k++) mpl_dict_table_shrink(&l->shard[k]);
}

/*
** Room for it
*/

/* Counts the entries that each shard will get. */
static void count_new(const struct mpl_dict_locked *l, uint64_t new[MPL_DICT_SHARDS]) {
  const struct mpl_dict_table *t = mpl_dict_table_of(&l->dict->overlay);
  uint64_t n = t != NULL ? mpl_load64_rlx(&t->used) : 0;
  for (uint64_t i = 0; i < n; i++) {
    const struct mpl_dict_entry *e = mpl_dict_table_entry(t, i);
    if (e == NULL || mpl_load64_rlx(&e->value) == 0) continue;
    struct mpl_dict_key key = mpl_dict_entry_key(e);
    if (mpl_dict_find_below(l, &key).entry == NULL)
      new[mpl_dict_shard_in(l, key.hash) - l->shard]++;
  }
}

/* Makes room in the tables, or, where all is removed first, new ones in the hand. */
static enum mpl_status make_room(struct mpl_dict_locked *l, mpl_off table[MPL_DICT_SHARDS]) {
  uint64_t new[MPL_DICT_SHARDS] = {0};
  bool cleared = mpl_load64_rlx(&l->dict->cleared) != 0;
  enum mpl_status s = MPL_OK;
  count_new(l, new);
  for (uint64_t k = 0; s == MPL_OK && k < l->n; k++) {
    if (!cleared)
      s = mpl_dict_table_room(&l->shard[k], new[k]);
    else if (new[k] > 0)
      s = mpl_dict_table_new(mpl_dict_table_capacity_for(new[k]), &table[k]);
  }
  for (int k = 0; s != MPL_OK && k < MPL_DICT_SHARDS; k++)
    if (table[k] != 0) mpl_heap_free(mpl_self, table[k]);
  return s;
}

/*
** The three operations
*/

/* Drops what is in the overlay. */
static enum mpl_status drop_overlay(struct mpl_dict *d) {
  if (mpl_dict_lock_overlay(d) != MPL_OK) return MPL_DAMAGED;
  mpl_dict_tx_drop_overlay(d, false);
  mpl_tx_commit();
  mpl_robust_unlock(&d->overlay.lock);
  mpl_dict_free_waste(d);
  return MPL_OK;
}

/* Takes the gate for this thread, which does not have it, and begins without changes. MPL_OK;
   MPL_BLOCK with w filled: somebody else has it; MPL_DAMAGED. No lock is held. */
enum mpl_status mpl_dict_begin(struct mpl_dict *d, uint32_t thread, struct mpl_wait *w) {
  enum mpl_status s = mpl_lock_try(&d->gate, thread, w);
  if (s == MPL_BLOCK) return s;
  s = drop_overlay(d); /* a dead holder's */
  if (s != MPL_OK) mpl_lock_release(&d->gate);
  return s;
}

static enum mpl_status commit(struct mpl_dict *d) {
  struct mpl_dict_locked l;
  mpl_off table[MPL_DICT_SHARDS] = {0};
  mpl_dict_split_at(d, mpl_load64_rlx(&d->first.count) + mpl_load64_rlx(&d->overlay.count));
  enum mpl_status s = mpl_dict_lock_all_deaf(d, &l);
  if (s != MPL_OK) return s;
  s = make_room(&l, table);
  if (s == MPL_OK) {
    mpl_tx_store(&d->applying, 1);
    if (mpl_load64_rlx(&d->cleared) != 0) {
      mpl_dict_tx_empty(&l, table);
      mpl_tx_store(&d->cleared, 0);
    }
    mpl_tx_commit();
    mpl_dict_apply(&l);
  }
  mpl_dict_unlock(&l);
  mpl_tx_wake_flush();
  return s;
}

/* Does all changes at once, and releases the gate, which the caller has. MPL_OK; MPL_NOMEM, and
   nothing has changed: the gate is the caller's still; MPL_DAMAGED, the same. No lock is held. */
enum mpl_status mpl_dict_commit(struct mpl_dict *d) {
  enum mpl_status s = commit(d);
  if (s == MPL_NOMEM && mpl_recover_all()) s = commit(d);
  if (s != MPL_OK) return s;
  mpl_lock_release(&d->gate);
  mpl_dict_free_waste(d);
  mpl_object_bury();
  return MPL_OK;
}

/* Drops the changes, and releases the gate, which the caller has. No lock is held. */
void mpl_dict_abandon(struct mpl_dict *d) {
  drop_overlay(d);
  mpl_lock_release(&d->gate);
}
