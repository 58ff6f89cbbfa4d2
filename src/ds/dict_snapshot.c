/*
** The entries of a dict in the order of their insertion: the newest of them, and copies of all.
*/
#include <stdlib.h>
#include <string.h>

#include "ds/dict_inside.h"
#include "ds/keep.h"
#include "shm/message.h"
#include "shm/recover.h"
#include "shm/reflist.h"
#include "shm/slot.h"

/*
** The newest
*/

static struct mpl_dict_spot find_mark(const struct mpl_dict_locked *l,
                                      const struct mpl_dict_entry *e) {
  struct mpl_dict_key key = mpl_dict_entry_key(e);
  return mpl_dict_table_find(&l->dict->overlay, &key);
}

/* Whether the holder of the gate has removed the key of this entry of a shard. */
static bool is_hidden(const struct mpl_dict_locked *l, const struct mpl_dict_entry *e) {
  if (!l->begun) return false;
  if (mpl_load64_rlx(&l->dict->cleared) != 0) return true;
  struct mpl_dict_spot mark = find_mark(l, e);
  return mark.entry != NULL && mpl_load64_rlx(&mark.entry->value) == 0;
}

/* Whether this entry of the overlay has a key that is not in the shards. */
static bool is_new(const struct mpl_dict_locked *l, const struct mpl_dict_entry *e) {
  struct mpl_dict_key key = mpl_dict_entry_key(e);
  return mpl_load64_rlx(&e->value) != 0 && mpl_dict_find_below(l, &key).entry == NULL;
}

/* The last entry of a shard; what was removed behind it is not looked at again. NULL: there is
   none. */
static struct mpl_dict_entry *last_of(const struct mpl_dict_locked *l,
                                      const struct mpl_dict_shard *shard) {
  struct mpl_dict_table *t = mpl_dict_table_of(shard);
  if (t == NULL) return NULL;
  uint64_t top = mpl_load64_rlx(&t->top);
  while (top > 0 && mpl_load64_rlx(&t->place[top - 1]) == 0) top--;
  mpl_store64_rlx(&t->top, top);
  while (top-- > 0) {
    struct mpl_dict_entry *e = mpl_dict_table_entry(t, top);
    if (e != NULL && !is_hidden(l, e)) return e;
  }
  return NULL;
}

/* NULL: the dict is empty. */
static struct mpl_dict_entry *newest(const struct mpl_dict_locked *l) {
  const struct mpl_dict_table *t = l->begun ? mpl_dict_table_of(&l->dict->overlay) : NULL;
  struct mpl_dict_entry *last = NULL, *e;
  for (uint64_t i = t != NULL ? mpl_load64_rlx(&t->used) : 0; i-- > 0;)
    if ((e = mpl_dict_table_entry(t, i)) != NULL && is_new(l, e)) return e;
  for (uint64_t k = 0; k < l->n; k++) {
    e = last_of(l, &l->shard[k]);
    if (e == NULL) continue;
    if (last == NULL || mpl_load64_rlx(&e->serial) > mpl_load64_rlx(&last->serial)) last = e;
  }
  return last;
}

static enum mpl_dict_verdict decide_to_remove(void *arg, const struct mpl_value *old,
                                              struct mpl_value *new) {
  (void)arg;
  (void)old;
  (void)new;
  return MPL_DICT_REMOVE;
}

static enum mpl_status pop_newest(struct mpl_dict_op *op, struct mpl_buf *key, struct mpl_wait *w) {
  struct mpl_dict *d = op->dict;
  struct mpl_dict_locked l;
  struct mpl_dict_gone gone = {0};
  enum mpl_status s = mpl_dict_lock_all(d, op->thread, &l);
  if (s != MPL_OK) return s;
  s = mpl_gate_pass(&d->gate, op->thread, w);
  const struct mpl_dict_entry *e = s == MPL_OK ? newest(&l) : NULL;
  if (e != NULL) {
    op->key = mpl_dict_entry_key(e);
    key->size = 0;
    if (mpl_buf_append(key, op->key.bytes, op->key.size))
      s = mpl_dict_change_locked(&l, op, &gone);
    else
      s = MPL_NOPRIVATE;
    op->key.bytes = key->data;
  }
  mpl_dict_unlock(&l);
  mpl_tx_wake_flush();
  mpl_dict_gone_drop(&gone);
  return s;
}

/*
** Removes the newest entry: MPL_OK with `found`, its key in `key` and op->key, and, if wanted, its
** value in `old`. `decide` and the key of *op are not asked for. MPL_BLOCK with w filled: somebody
** else has the gate. MPL_NOMEM, MPL_NOPRIVATE, MPL_SIGNAL: nothing has changed. MPL_DAMAGED. No
** lock is held.
*/
enum mpl_status mpl_dict_pop_newest(struct mpl_dict_op *op, struct mpl_buf *key,
                                    struct mpl_wait *w) {
  op->found = op->stored = false;
  op->decide = decide_to_remove;
  enum mpl_status s = pop_newest(op, key, w);
  if (s == MPL_NOMEM && mpl_recover_all()) s = pop_newest(op, key, w);
  mpl_object_bury();
  return s;
}

/*
** Snapshots
*/

/* Goes through the entries of all shards by their serials. */
struct cursor {
  uint64_t n;
  struct {
    const struct mpl_dict_table *table;
    uint64_t place;
    const struct mpl_dict_entry *entry; /* the next one, NULL: the end */
  } at[MPL_DICT_SHARDS];
};

static void step(struct cursor *c, uint64_t k) {
  const struct mpl_dict_table *t = c->at[k].table;
  uint64_t used = t != NULL ? mpl_load64_rlx(&t->used) : 0;
  c->at[k].entry = NULL;
  while (c->at[k].place < used && c->at[k].entry == NULL)
    c->at[k].entry = mpl_dict_table_entry(t, c->at[k].place++);
}

static void begin(struct cursor *c, const struct mpl_dict_locked *l) {
  *c = (struct cursor){.n = l->n};
  for (uint64_t k = 0; k < c->n; k++) {
    c->at[k].table = mpl_dict_table_of(&l->shard[k]);
    step(c, k);
  }
}

/* NULL: there are no more. */
static const struct mpl_dict_entry *next(struct cursor *c) {
  const struct mpl_dict_entry *first = NULL;
  uint64_t from = 0;
  for (uint64_t k = 0; k < c->n; k++) {
    const struct mpl_dict_entry *e = c->at[k].entry;
    if (e == NULL) continue;
    if (first != NULL && mpl_load64_rlx(&first->serial) < mpl_load64_rlx(&e->serial)) continue;
    first = e;
    from = k;
  }
  if (first != NULL) step(c, from);
  return first;
}

/* What is gathered for a snapshot. */
struct gathered {
  struct mpl_buf pairs, bytes, messages;
  uint64_t nmessages; /* those for which the keep has no room included */
  uint64_t room;      /* of the keep */
};

static void gathered_free(struct gathered *g) {
  mpl_buf_free(&g->pairs);
  mpl_buf_free(&g->bytes);
  mpl_buf_free(&g->messages);
}

/* False: no memory. Once there are too many messages for the keep it only counts them. */
static bool gather_one(struct gathered *g, const struct mpl_dict_entry *e,
                       const struct mpl_dict_entry *shown) {
  struct mpl_value v;
  mpl_dict_entry_value(shown, &v);
  g->nmessages += v.message != 0;
  if (g->nmessages > g->room) return true;
  struct mpl_dict_pair pair = {.serial = mpl_load64_rlx(&e->serial), .key_at = g->bytes.size,
                               .key_size = e->key_size,
                               .value_at = g->bytes.size + e->key_size, .value_size = v.size,
                               .message = v.message};
  if (v.message != 0 && !mpl_buf_append(&g->messages, &v.message, sizeof v.message)) return false;
  return mpl_buf_append(&g->bytes, (const void *)e->word, e->key_size) &&
         mpl_buf_append(&g->bytes, v.bytes, v.size) &&
         mpl_buf_append(&g->pairs, &pair, sizeof pair);
}

/* All that this thread sees. MPL_OK or MPL_NOPRIVATE. */
static enum mpl_status gather(const struct mpl_dict_locked *l, struct gathered *g) {
  struct cursor c;
  const struct mpl_dict_entry *e;
  begin(&c, l);
  while ((e = next(&c)) != NULL) {
    if (is_hidden(l, e)) continue;
    struct mpl_dict_spot over = l->begun ? find_mark(l, e) : (struct mpl_dict_spot){0};
    if (!gather_one(g, e, over.entry != NULL ? over.entry : e)) return MPL_NOPRIVATE;
  }
  const struct mpl_dict_table *t = l->begun ? mpl_dict_table_of(&l->dict->overlay) : NULL;
  for (uint64_t i = 0; t != NULL && i < mpl_load64_rlx(&t->used); i++) {
    e = mpl_dict_table_entry(t, i);
    if (e != NULL && is_new(l, e) && !gather_one(g, e, e)) return MPL_NOPRIVATE;
  }
  return MPL_OK;
}

/* One attempt, with this keep, or NULL. MPL_BLOCK: it has not room enough. */
static enum mpl_status try_snapshot(struct mpl_dict *d, uint32_t thread, struct gathered *g,
                                    struct mpl_keep *keep) {
  struct mpl_dict_locked l;
  enum mpl_status s = mpl_dict_lock_all(d, thread, &l);
  if (s != MPL_OK) return s;
  s = gather(&l, g);
  if (s == MPL_OK && g->nmessages > g->room) s = MPL_BLOCK;
  if (s == MPL_OK && g->nmessages > 0)
    s = mpl_keep_add(keep, (const mpl_off *)(void *)g->messages.data, g->nmessages);
  mpl_dict_unlock(&l);
  mpl_tx_wake_flush();
  return s;
}

static void drop_keep(uint64_t id) {
  if (id == 0) return;
  mpl_reflist_release(id);
  mpl_object_bury();
}

/*
** A copy of all entries as this thread sees them, in the order of their insertion, to be freed with
** mpl_dict_snapshot_free. The serials are of no meaning but in an order that grows, except for keys
** that changes begun have added. MPL_OK; MPL_NOMEM, MPL_NOPRIVATE, MPL_SIGNAL, MPL_DAMAGED, and
** there is nothing to free. No lock is held.
*/
enum mpl_status mpl_dict_snapshot(struct mpl_dict *d, uint32_t thread,
                                  struct mpl_dict_snapshot *s) {
  uint64_t room = 0, keep = 0;
  for (;;) {
    struct gathered g = {.room = room};
    struct mpl_keep *k = keep != 0 ? mpl_object_body(keep, MPL_TYPE_KEEP) : NULL;
    enum mpl_status status = try_snapshot(d, thread, &g, k);
    if (status == MPL_OK) {
      mpl_buf_free(&g.messages);
      *s = (struct mpl_dict_snapshot){.pair = (struct mpl_dict_pair *)(void *)g.pairs.data,
                                      .count = g.pairs.size / sizeof(struct mpl_dict_pair),
                                      .bytes = (unsigned char *)g.bytes.data, .keep = keep};
      return MPL_OK;
    }
    room = g.nmessages + g.nmessages / 8;
    gathered_free(&g);
    drop_keep(keep);
    if (status != MPL_BLOCK) return status;
    status = mpl_keep_new(room, &keep);
    if (status != MPL_OK) return status;
  }
}

/* Gives a snapshot's memory and messages back; does nothing the second time. */
void mpl_dict_snapshot_free(struct mpl_dict_snapshot *s) {
  free(s->pair);
  free(s->bytes);
  drop_keep(s->keep);
  *s = (struct mpl_dict_snapshot){0};
}
