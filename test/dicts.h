/*
** What the tests of dicts have in common: keys that are numbers or any bytes, values of any size,
** messages, and the operations on them with what waits.
*/
#ifndef MPL_TEST_DICTS_H
#define MPL_TEST_DICTS_H

#include "ds/dict.h"
#include "ds/keep.h"
#include "world.h"

static inline void dicts_register(void) {
  mpl_dict_register();
  mpl_keep_register();
}

static inline struct mpl_dict *dicts_at(uint64_t id) {
  struct mpl_dict *d = mpl_object_body(id, MPL_TYPE_DICT);
  CHECK(d != NULL);
  return d;
}

static inline struct mpl_dict_key dicts_key(const uint64_t *number) {
  return (struct mpl_dict_key){
      .bytes = number, .size = sizeof *number, .hash = mpl_dict_hash(number, sizeof *number)};
}

/* What a change is to do, and did. */
struct dicts_change {
  enum mpl_dict_verdict verdict;
  struct mpl_value new;
  uint64_t by; /* not 0: is added to the number that the value is, or to none */
  uint64_t sum;
};

static inline enum mpl_dict_verdict dicts_decide(void *arg, const struct mpl_value *old,
                                                 struct mpl_value *new) {
  struct dicts_change *c = arg;
  *new = c->new;
  if (c->by == 0) return c->verdict;
  c->sum = 0;
  if (old != NULL) memcpy(&c->sum, old->bytes, sizeof c->sum);
  c->sum += c->by;
  *new = (struct mpl_value){.bytes = &c->sum, .size = sizeof c->sum};
  return MPL_DICT_STORE;
}

static inline enum mpl_status dicts_change(struct mpl_dict *d, uint64_t key,
                                           struct dicts_change *c, struct mpl_dict_op *op,
                                           int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  op->dict = d;
  op->key = dicts_key(&key);
  op->decide = dicts_decide;
  op->arg = c;
  while (((s = mpl_dict_change(op, &w)) == MPL_BLOCK &&
          (s = world_step(&w, deadline)) == MPL_OK) || s == MPL_SIGNAL)
    if (s == MPL_SIGNAL) mpl_signal_take(MPL_SIGNAL_CHILD);
  if (mpl_wait_slept(&w)) mpl_lock_pass_on(&d->gate);
  mpl_wait_done(&w);
  return s;
}

/* Sets a key to `size` bytes, all of them `c`. */
static inline enum mpl_status dicts_set(struct mpl_dict *d, uint64_t key, int c, size_t size) {
  unsigned char bytes[MPL_VALUE_INLINE];
  struct mpl_dict_op op = {.want_old = false};
  struct dicts_change change = {.verdict = MPL_DICT_STORE, .new = {.bytes = bytes, .size = size}};
  CHECK(size <= sizeof bytes);
  memset(bytes, c, size);
  return dicts_change(d, key, &change, &op, world_deadline());
}

/* The same with a message, which has references to `nrefs` locks. */
static inline enum mpl_status dicts_set_message(struct mpl_dict *d, uint64_t key, uint64_t nrefs) {
  struct mpl_dict_op op = {.want_old = false};
  struct dicts_change change = {.verdict = MPL_DICT_STORE, .new = {.message = world_letter(nrefs)}};
  enum mpl_status s = dicts_change(d, key, &change, &op, world_deadline());
  if (!op.stored) mpl_message_drop(mpl_self, change.new.message);
  return s;
}

/* Adds to a number; *sum is what comes of it. */
static inline enum mpl_status dicts_add(struct mpl_dict *d, uint64_t key, uint64_t by,
                                        uint64_t *sum, int64_t deadline) {
  struct mpl_dict_op op = {.want_old = false};
  struct dicts_change change = {.by = by};
  enum mpl_status s = dicts_change(d, key, &change, &op, deadline);
  *sum = change.sum;
  return s;
}

static inline bool dicts_remove(struct mpl_dict *d, uint64_t key) {
  struct mpl_dict_op op = {.want_old = false};
  struct dicts_change change = {.verdict = MPL_DICT_REMOVE};
  CHECK(dicts_change(d, key, &change, &op, world_deadline()) == MPL_OK);
  return op.found;
}

/* Looks a key up; the value in op->old, its message in the hand. */
static inline bool dicts_get(struct mpl_dict *d, uint64_t key, struct mpl_dict_op *op) {
  enum mpl_status s;
  *op = (struct mpl_dict_op){.dict = d, .key = dicts_key(&key), .want_old = true};
  while ((s = mpl_dict_get(op)) == MPL_SIGNAL) mpl_signal_take(MPL_SIGNAL_CHILD);
  CHECK(s == MPL_OK);
  return op->found;
}

static inline void dicts_drop(struct mpl_dict_op *op) {
  if (op->found && op->old.message != 0) mpl_message_drop(mpl_self, op->old.message);
  mpl_object_bury();
}

/* Whether a key has `size` bytes, all of them c; or (size 0) a letter. */
static inline bool dicts_is(struct mpl_dict *d, uint64_t key, int c, size_t size) {
  struct mpl_dict_op op;
  unsigned char bytes[MPL_VALUE_INLINE];
  memset(bytes, c, sizeof bytes);
  bool good = dicts_get(d, key, &op);
  if (good && size > 0)
    good = op.old.message == 0 && op.old.size == size && memcmp(op.old.bytes, bytes, size) == 0;
  else if (good)
    good = op.old.message != 0 && mpl_message_at(op.old.message)->size == WORLD_LETTER;
  dicts_drop(&op);
  return good;
}

static inline bool dicts_has(struct mpl_dict *d, uint64_t key) {
  struct mpl_dict_op op;
  bool has = dicts_get(d, key, &op);
  dicts_drop(&op);
  return has;
}

static inline uint64_t dicts_count(struct mpl_dict *d) {
  uint64_t n;
  enum mpl_status s;
  while ((s = mpl_dict_count(d, 0, &n)) == MPL_SIGNAL) mpl_signal_take(MPL_SIGNAL_CHILD);
  CHECK(s == MPL_OK);
  return n;
}

static inline enum mpl_status dicts_begin(struct mpl_dict *d, int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  while ((s = mpl_dict_begin(d, 0, &w)) == MPL_BLOCK && (s = world_step(&w, deadline)) == MPL_OK) {}
  if (s != MPL_OK && mpl_wait_slept(&w)) mpl_lock_pass_on(&d->gate);
  mpl_wait_done(&w);
  return s;
}

static inline enum mpl_status dicts_clear(struct mpl_dict *d) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  while (((s = mpl_dict_clear(d, 0, &w)) == MPL_BLOCK &&
          (s = world_step(&w, world_deadline())) == MPL_OK) || s == MPL_SIGNAL)
    if (s == MPL_SIGNAL) mpl_signal_take(MPL_SIGNAL_CHILD);
  if (mpl_wait_slept(&w)) mpl_lock_pass_on(&d->gate);
  mpl_wait_done(&w);
  return s;
}

static inline enum mpl_status dicts_snapshot(struct mpl_dict *d, struct mpl_dict_snapshot *s) {
  enum mpl_status e;
  while ((e = mpl_dict_snapshot(d, 0, s)) == MPL_SIGNAL) mpl_signal_take(MPL_SIGNAL_CHILD);
  return e;
}

static inline uint64_t dicts_key_of(const struct mpl_dict_snapshot *s, uint64_t i) {
  uint64_t key;
  CHECK(i < s->count && s->pair[i].key_size == sizeof key);
  memcpy(&key, s->bytes + s->pair[i].key_at, sizeof key);
  return key;
}

/* Removes the newest: its key, 0 if there is none or no memory; the value is dropped. */
static inline uint64_t dicts_pop(struct mpl_dict *d) {
  struct mpl_dict_op op = {.dict = d, .want_old = true};
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_buf buf;
  uint64_t room[4], key = 0;
  mpl_buf_init(&buf, room, sizeof room);
  enum mpl_status s;
  while ((s = mpl_dict_pop_newest(&op, &buf, &w)) == MPL_SIGNAL) mpl_signal_take(MPL_SIGNAL_CHILD);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  mpl_wait_done(&w);
  if (s == MPL_OK && op.found) memcpy(&key, buf.data, sizeof key);
  if (s == MPL_OK) dicts_drop(&op);
  mpl_buf_free(&buf);
  return key;
}

#endif
