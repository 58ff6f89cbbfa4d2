/*
** What the processes of the torture do with dicts. The keys of a dict are numbers:
**
**   accounts   numbers that are only changed together, from one to another: their sum is 0
**   counters   are added to; the ledger has how often that was begun and how often it was done
**   others     any values, with references to other objects or without
**
** A dict that is loose is cleared now and then, and nobody counts there.
*/
#ifndef MPL_TEST_TORTURE_DICTS_H
#define MPL_TEST_TORTURE_DICTS_H

#include "torture_queues.h"
#include "dicts.h"

#define DICTS_ACCOUNTS 30
#define DICTS_COUNTERS 40 /* from DICTS_ACCOUNTS on, up to this */
#define DICTS_KEYS 80

static struct ledger_dict *dicts_record(uint64_t id) {
  return &ledger->dict[ledger_index(id)];
}

static enum mpl_status dicts_make(uint64_t *id) {
  enum mpl_status s = mpl_dict_new(MPL_TYPE_DICT, id);
  if (s != MPL_OK) return s;
  struct ledger_dict *record = dicts_record(*id);
  mpl_store64_rel(&record->begun, 0);
  mpl_store64_rel(&record->done, 0);
  mpl_store64_rel(&record->loose, draw(3) == 0);
  return MPL_OK;
}

static bool dicts_may_fail_with(enum mpl_status s) {
  return s == MPL_OK || s == MPL_TIMEOUT || s == MPL_NOMEM;
}

static void dicts_count_up(uint64_t id) {
  struct ledger_dict *record = dicts_record(id);
  uint64_t sum, key = DICTS_ACCOUNTS + draw(DICTS_COUNTERS - DICTS_ACCOUNTS);
  mpl_add64_ar(&record->begun, 1);
  enum mpl_status s = dicts_add(dicts_at(id), key, 1, &sum, draw_deadline());
  CHECK(dicts_may_fail_with(s) && (s != MPL_OK || sum > 0));
  if (s == MPL_OK) mpl_add64_ar(&record->done, 1);
  else mpl_add64_ar(&record->begun, UINT64_MAX);
}

/* Makes a message that refers to something, now and then; false for lack of memory. */
static bool dicts_draw_value(struct dicts_change *c, unsigned char bytes[MPL_VALUE_INLINE]) {
  c->verdict = MPL_DICT_STORE;
  c->new = (struct mpl_value){.bytes = bytes, .size = draw(MPL_VALUE_INLINE + 1)};
  memset(bytes, (int)draw(256), MPL_VALUE_INLINE);
  if (draw(3) != 0) return true;
  enum mpl_status s = mpl_message_new(draw(2000), 1, &c->new.message);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  uint64_t ref = draw(2) == 0 ? cells_pick(MPL_TYPE_NONE) : 0;
  if (s == MPL_OK && ref != 0) CHECK(mpl_message_add_ref(c->new.message, ref) == MPL_OK);
  return s == MPL_OK;
}

static uint64_t dicts_draw_key(void) {
  return DICTS_COUNTERS + draw(DICTS_KEYS - DICTS_COUNTERS);
}

static void dicts_put(uint64_t id) {
  unsigned char bytes[MPL_VALUE_INLINE];
  struct dicts_change c = {0};
  struct mpl_dict_op op = {.want_old = draw(2) == 0};
  uint64_t key = dicts_draw_key();
  if (!dicts_draw_value(&c, bytes)) return;
  enum mpl_status s = dicts_change(dicts_at(id), key, &c, &op, draw_deadline());
  CHECK(dicts_may_fail_with(s) && op.stored == (s == MPL_OK));
  if (!op.stored && c.new.message != 0) mpl_message_drop(mpl_self, c.new.message);
  if (s == MPL_OK && op.want_old) dicts_drop(&op);
  mpl_object_bury();
}

static void dicts_take_out(uint64_t id) {
  struct dicts_change c = {.verdict = MPL_DICT_REMOVE};
  struct mpl_dict_op op = {.want_old = draw(2) == 0};
  enum mpl_status s = dicts_change(dicts_at(id), dicts_draw_key(), &c, &op, draw_deadline());
  CHECK(dicts_may_fail_with(s));
  if (s == MPL_OK && op.want_old) dicts_drop(&op);
}

static void dicts_look_up(uint64_t id) {
  struct mpl_dict_op op;
  if (dicts_get(dicts_at(id), dicts_draw_key(), &op) && op.old.message != 0) {
    struct mpl_message *m = mpl_message_at(op.old.message);
    if (mpl_load64_rlx(&m->nrefs) > 0) cells_fetch(mpl_load64_rlx(&m->ref[0]));
  }
  dicts_drop(&op);
}

/* Some changes at once, that leave the sum of the accounts as it is; or, loose, all goes before. */
static void dicts_transfer(uint64_t id) {
  struct mpl_dict *d = dicts_at(id);
  uint64_t sum, pairs = 1 + draw(10);
  enum mpl_status s = dicts_begin(d, draw_deadline());
  CHECK(dicts_may_fail_with(s));
  if (s != MPL_OK) return;
  if (ledger_look(&dicts_record(id)->loose) != 0 && draw(8) == 0) CHECK(dicts_clear(d) == MPL_OK);
  for (uint64_t i = 0; i < pairs && s == MPL_OK; i++) {
    uint64_t n = draw(1000);
    s = dicts_add(d, draw(DICTS_ACCOUNTS), n + 1, &sum, 0);
    if (s == MPL_OK) s = dicts_add(d, draw(DICTS_ACCOUNTS), ~n, &sum, 0);
    if (s == MPL_OK && draw(4) == 0) dicts_put(id);
    if (s == MPL_OK && draw(4) == 0) dicts_take_out(id);
  }
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s == MPL_OK && draw(5) != 0) s = mpl_dict_commit(d);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (mpl_dict_is_begun(d, 0)) mpl_dict_abandon(d);
  mpl_object_bury();
}

/* What is the sum of the values of the keys from `from` up to `to`. */
static uint64_t dicts_sum(const struct mpl_dict_snapshot *s, uint64_t from, uint64_t to) {
  uint64_t sum = 0, value;
  for (uint64_t i = 0; i < s->count; i++) {
    uint64_t key = dicts_key_of(s, i);
    if (key < from || key >= to) continue;
    CHECK(s->pair[i].message == 0 && s->pair[i].value_size == sizeof value);
    memcpy(&value, s->bytes + s->pair[i].value_at, sizeof value);
    sum += value;
  }
  return sum;
}

static void dicts_look_at_all(uint64_t id) {
  struct mpl_dict_snapshot s;
  enum mpl_status e = dicts_snapshot(dicts_at(id), &s);
  CHECK(e == MPL_OK || e == MPL_NOMEM);
  if (e != MPL_OK) return;
  CHECK(dicts_sum(&s, 0, DICTS_ACCOUNTS) == 0);
  for (uint64_t i = 1; i < s.count; i++) CHECK(s.pair[i].serial > s.pair[i - 1].serial);
  mpl_dict_snapshot_free(&s);
}

static void dicts_clear_loose(uint64_t id) {
  struct mpl_wait w = MPL_WAIT_INIT;
  if (ledger_look(&dicts_record(id)->loose) == 0) return;
  enum mpl_status s = mpl_dict_clear(dicts_at(id), 0, &w);
  CHECK(s == MPL_OK || s == MPL_BLOCK || s == MPL_SIGNAL);
  mpl_wait_done(&w);
}

static void dicts_pop_one(uint64_t id) {
  struct mpl_dict *d = dicts_at(id);
  if (ledger_look(&dicts_record(id)->loose) == 0) return;
  if (dicts_begin(d, draw_deadline()) != MPL_OK) return;
  uint64_t key = dicts_count(d) > 0 ? dicts_pop(d) : 0;
  if (key < DICTS_ACCOUNTS || draw(2) == 0) mpl_dict_abandon(d);
  else if (mpl_dict_commit(d) != MPL_OK) mpl_dict_abandon(d);
}

/* All rest: nothing was lost, and what is gone may go. */
static void dicts_inspect(uint64_t id, bool drain) {
  struct mpl_dict *d = dicts_at(id);
  struct ledger_dict *record = dicts_record(id);
  struct mpl_dict_snapshot s;
  CHECK(dicts_snapshot(d, &s) == MPL_OK && s.count == dicts_count(d));
  CHECK(dicts_sum(&s, 0, DICTS_ACCOUNTS) == 0);
  uint64_t sum = dicts_sum(&s, DICTS_ACCOUNTS, DICTS_COUNTERS);
  mpl_dict_snapshot_free(&s);
  CHECK(ledger_look(&record->loose) != 0 ||
        (sum >= ledger_look(&record->done) && sum <= ledger_look(&record->begun)));
  if (!drain) return;
  CHECK(dicts_begin(d, 0) == MPL_OK && dicts_clear(d) == MPL_OK);
  CHECK(mpl_dict_commit(d) == MPL_OK && dicts_count(d) == 0);
  mpl_store64_rel(&record->begun, 0);
  mpl_store64_rel(&record->done, 0);
}

#endif
