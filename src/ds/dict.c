/*
** The dict: making one, and operations on one key. See dict.h.
*/
#include "ds/dict.h"

#include <string.h>

#include "base/hash.h"
#include "ds/dict_inside.h"
#include "shm/heap.h"
#include "shm/message.h"
#include "shm/recover.h"
#include "shm/super.h"

#define HASH_SEED UINT64_C(0x6d706c64696374)

static const struct mpl_object_ops dict_ops = {.name = "dict", .dismantle = mpl_dict_dismantle,
                                               .holder = mpl_lock_holder, .walk = mpl_dict_walk};
static const struct mpl_object_ops set_ops = {.name = "set", .dismantle = mpl_dict_dismantle,
                                              .holder = mpl_lock_holder, .walk = mpl_dict_walk};
static const struct mpl_object_ops namespace_ops = {
    .name = "Namespace", .dismantle = mpl_dict_dismantle, .holder = mpl_lock_holder,
    .walk = mpl_dict_walk};

void mpl_dict_register(void) {
  mpl_object_register(MPL_TYPE_DICT, &dict_ops);
  mpl_object_register(MPL_TYPE_SET, &set_ops);
  mpl_object_register(MPL_TYPE_NAMESPACE, &namespace_ops);
}

static enum mpl_status init(void *body, const void *unused) {
  struct mpl_dict *d = body;
  (void)unused;
  mpl_store64_rlx(&d->serial, 1);
  enum mpl_status s = mpl_robust_init(&d->first.lock, MPL_RANK_STRUCTURE);
  if (s != MPL_OK) return s;
  return mpl_robust_init(&d->overlay.lock, MPL_RANK_STRUCTURE + MPL_DICT_SHARDS);
}

/* An empty dict of this kind, to which the caller holds a reference. MPL_NOMEM, MPL_NOPRIVATE. */
enum mpl_status mpl_dict_new(enum mpl_object_type kind, uint64_t *id) {
  return mpl_object_new(kind, sizeof(struct mpl_dict), init, NULL, id);
}

/* The hash of a key's bytes. */
uint64_t mpl_dict_hash(const void *bytes, uint64_t size) {
  return mpl_hash(bytes, size, HASH_SEED);
}

/* How often the key's shard, or with NULL the dict, has been changed: a number that differs if the
   key was changed since it was read. Without a lock. */
uint64_t mpl_dict_writes(struct mpl_dict *d, const struct mpl_dict_key *key) {
  mpl_off split = mpl_load64_acq(&d->split);
  uint64_t n = mpl_load64_acq(&d->first.writes);
  if (split == 0) return n;
  if (key != NULL) return n + mpl_load64_acq(&mpl_dict_shard_for(d, split, key->hash)->writes);
  for (int i = 0; i < MPL_DICT_SHARDS; i++)
    n += mpl_load64_acq(&mpl_dict_shards_at(split)[i].writes);
  return n;
}

/*
** Looking
*/

/* The value of a key as this thread sees it; false: it has none. */
static bool look(const struct mpl_dict_locked *l, const struct mpl_dict_key *key,
                 struct mpl_value *v) {
  struct mpl_dict_spot at = {0};
  if (l->begun) at = mpl_dict_table_find(&l->dict->overlay, key);
  if (at.entry == NULL) at = mpl_dict_find_below(l, key);
  return at.entry != NULL && mpl_dict_entry_value(at.entry, v);
}

/* Bytes go out while they are there. */
static void give_bytes(struct mpl_dict_op *op, const struct mpl_value *v) {
  if (v->message != 0) return;
  MPL_ASSERT(v->size <= sizeof op->room);
  memcpy(op->room, v->bytes, v->size);
  op->old = (struct mpl_value){.bytes = op->room, .size = v->size};
}

/* A message goes out last, so that nothing fails with it in the hand: itself if it went, else a
   share. */
static enum mpl_status give_message(struct mpl_dict_op *op, const struct mpl_value *v,
                                    struct mpl_dict_gone *gone) {
  if (v->message == 0) return MPL_OK;
  op->old = (struct mpl_value){.message = v->message};
  if (gone->message != v->message) return mpl_message_share(v->message);
  gone->message = 0;
  return MPL_OK;
}

/* Looks up op->key: `found`, and `old` if wanted. MPL_OK, MPL_SIGNAL, MPL_DAMAGED. */
enum mpl_status mpl_dict_get(struct mpl_dict_op *op) {
  struct mpl_dict_locked l;
  struct mpl_dict_gone none = {0};
  struct mpl_value v;
  enum mpl_status s = mpl_dict_lock_key(op->dict, op->key.hash, op->thread, &l);
  if (s != MPL_OK) return s;
  op->found = look(&l, &op->key, &v);
  if (op->found && op->want_old) {
    give_bytes(op, &v);
    s = give_message(op, &v, &none);
  }
  mpl_dict_unlock(&l);
  return s;
}

/*
** Changing
*/

/* In a section: the shard has changed, which those who wait for it are to know. What happens in the
   overlay nobody else sees. */
static void tx_changed(struct mpl_dict *d, struct mpl_dict_shard *shard) {
  if (shard == &d->overlay) return;
  mpl_tx_publish(&shard->writes, mpl_load64_rlx(&shard->writes) + 1);
  mpl_tx_wake(&d->changed, MPL_EC_ALL);
}

/* A new entry, in the place of one or at the end. */
static enum mpl_status store_entry(struct mpl_dict *d, struct mpl_dict_shard *shard,
                                   struct mpl_dict_spot at, const struct mpl_dict_key *key,
                                   const struct mpl_value *v, struct mpl_dict_gone *gone) {
  mpl_off entry;
  enum mpl_status s = at.entry != NULL ? MPL_OK : mpl_dict_table_room(shard, 1);
  if (s != MPL_OK) return s;
  uint64_t serial =
      at.entry != NULL ? mpl_load64_rlx(&at.entry->serial) : mpl_add64_ar(&d->serial, 1);
  s = mpl_dict_entry_new(key, v, serial, &entry);
  if (s != MPL_OK) return s;
  mpl_hand_take(mpl_self, entry);
  if (v != NULL && v->message != 0) mpl_hand_take(mpl_self, v->message);
  if (at.entry != NULL)
    mpl_dict_table_tx_swap(shard, at, entry, gone);
  else
    mpl_dict_table_tx_add(shard, key->hash, entry);
  tx_changed(d, shard);
  mpl_tx_commit();
  return MPL_OK;
}

/* Sets the value, NULL: marks the key as removed. */
static enum mpl_status store(struct mpl_dict *d, struct mpl_dict_shard *shard,
                             struct mpl_dict_spot at, const struct mpl_dict_key *key,
                             const struct mpl_value *v, struct mpl_dict_gone *gone) {
  if (at.entry == NULL || !mpl_dict_entry_fits(at.entry, v))
    return store_entry(d, shard, at, key, v, gone);
  mpl_dict_entry_tx_set(at.entry, v, gone);
  tx_changed(d, shard);
  mpl_tx_commit();
  return MPL_OK;
}

static void remove_entry(struct mpl_dict *d, struct mpl_dict_shard *shard, struct mpl_dict_spot at,
                         struct mpl_dict_gone *gone) {
  mpl_dict_table_tx_remove(shard, at, gone);
  tx_changed(d, shard);
  mpl_tx_commit();
  mpl_dict_table_shrink(shard);
}

/* The change, under the locks that l says. What went is in `gone`, to be dropped once they are
   free. MPL_OK; MPL_NOMEM, and nothing has changed; MPL_DAMAGED. */
enum mpl_status mpl_dict_change_locked(struct mpl_dict_locked *l, struct mpl_dict_op *op,
                                       struct mpl_dict_gone *gone) {
  struct mpl_dict *d = l->dict;
  struct mpl_dict_shard *shard = l->begun ? &d->overlay : mpl_dict_shard_in(l, op->key.hash);
  struct mpl_dict_spot at = mpl_dict_table_find(shard, &op->key), below = {0};
  if (l->begun) below = mpl_dict_find_below(l, &op->key);
  const struct mpl_dict_entry *seen = at.entry != NULL ? at.entry : below.entry;
  struct mpl_value old, new = {0};
  enum mpl_status s = MPL_OK;
  op->found = seen != NULL && mpl_dict_entry_value(seen, &old);
  enum mpl_dict_verdict verdict = op->decide(op->arg, op->found ? &old : NULL, &new);
  if (op->found && op->want_old) give_bytes(op, &old);
  if (verdict == MPL_DICT_STORE) {
    s = store(d, shard, at, &op->key, &new, gone);
    op->stored = s == MPL_OK;
  } else if (verdict == MPL_DICT_REMOVE && op->found) {
    if (below.entry != NULL)
      s = store(d, shard, at, &op->key, NULL, gone);
    else
      remove_entry(d, shard, at, gone);
  }
  if (s == MPL_OK && op->found && op->want_old) s = give_message(op, &old, gone);
  return s;
}

static enum mpl_status change(struct mpl_dict_op *op, struct mpl_wait *w) {
  struct mpl_dict *d = op->dict;
  struct mpl_dict_locked l;
  struct mpl_dict_gone gone = {0};
  mpl_dict_split_at(d, mpl_load64_rlx(&d->first.count));
  enum mpl_status s = mpl_dict_lock_key(d, op->key.hash, op->thread, &l);
  if (s != MPL_OK) return s;
  s = mpl_gate_pass(&d->gate, op->thread, w);
  if (s == MPL_OK) s = mpl_dict_change_locked(&l, op, &gone);
  mpl_dict_unlock(&l);
  mpl_tx_wake_flush();
  bool dropped = gone.message != 0;
  mpl_dict_gone_drop(&gone);
  if (dropped) mpl_object_bury();
  return s;
}

/*
** Changes the value of op->key as op->decide says, which may be asked more than once; the last
** answer counts. MPL_OK with `found`, `stored` and, if wanted, `old`. MPL_BLOCK with w filled:
** somebody else has the gate. MPL_NOMEM, MPL_SIGNAL: nothing has changed; a message to be stored is
** in the hand still. MPL_DAMAGED. No lock is held.
*/
enum mpl_status mpl_dict_change(struct mpl_dict_op *op, struct mpl_wait *w) {
  op->stored = false;
  enum mpl_status s = change(op, w);
  if (s == MPL_NOMEM && mpl_recover_all()) s = change(op, w);
  return s;
}
