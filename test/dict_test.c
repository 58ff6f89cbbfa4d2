/*
** Dicts: keys and values of all kinds, the order, growth and shrinking, snapshots, changes at once,
** and two processes.
*/
#include "base/fault.h"
#include "dicts.h"

static struct world_sum before;

static struct mpl_dict *make(uint64_t *id) {
  world_make();
  uint64_t keeper;
  CHECK(mpl_lock_new(&keeper) == MPL_OK);
  before = world_sum();
  CHECK(mpl_dict_new(MPL_TYPE_DICT, id) == MPL_OK);
  WORLD_WHOLE();
  return dicts_at(*id);
}

static void release(uint64_t id) {
  WORLD_WHOLE();
  mpl_reflist_release(id);
  mpl_object_bury();
  WORLD_WHOLE();
  WORLD_SAME(before);
}

/* All sizes, in place and not, and messages in between. */
static void test_values(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  static const size_t sizes[] = {1, 9, 8, 128, 0, 3, 127, 40, 0, 0, 128, 5};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    enum mpl_status s = sizes[i] == 0 ? dicts_set_message(d, 7, i % 3)
                                      : dicts_set(d, 7, (int)i + 1, sizes[i]);
    CHECK(s == MPL_OK && dicts_is(d, 7, (int)i + 1, sizes[i]));
    CHECK(dicts_count(d) == 1);
    WORLD_WHOLE();
  }
  CHECK(!dicts_has(d, 8) && !dicts_remove(d, 8));
  CHECK(dicts_remove(d, 7) && !dicts_has(d, 7) && dicts_count(d) == 0);
  CHECK(dicts_set_message(d, 7, 2) == MPL_OK && dicts_set_message(d, 8, 1) == MPL_OK);
  release(id);
}

/* A value that went is the caller's, with its message. */
static void test_old(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  struct mpl_dict_op op = {.want_old = true};
  struct dicts_change set = {.verdict = MPL_DICT_STORE, .new = {.bytes = "x", .size = 1}};
  struct dicts_change keep = {.verdict = MPL_DICT_KEEP}, take = {.verdict = MPL_DICT_REMOVE};
  CHECK(dicts_change(d, 1, &set, &op, 0) == MPL_OK && !op.found && op.stored);
  CHECK(dicts_change(d, 1, &keep, &op, 0) == MPL_OK && op.found && !op.stored);
  CHECK(op.old.message == 0 && op.old.size == 1 && *(const char *)op.old.bytes == 'x');
  CHECK(dicts_set_message(d, 1, 1) == MPL_OK);
  CHECK(dicts_change(d, 1, &keep, &op, 0) == MPL_OK && op.found && op.old.message != 0);
  CHECK(mpl_load64_rlx(&mpl_message_at(op.old.message)->holders) == 2);
  dicts_drop(&op);
  CHECK(dicts_change(d, 1, &set, &op, 0) == MPL_OK && op.found && op.old.message != 0);
  CHECK(mpl_load64_rlx(&mpl_message_at(op.old.message)->holders) == 1);
  dicts_drop(&op);
  CHECK(dicts_set_message(d, 1, 1) == MPL_OK);
  CHECK(dicts_change(d, 1, &take, &op, 0) == MPL_OK && op.found && op.old.message != 0);
  dicts_drop(&op);
  CHECK(dicts_change(d, 1, &take, &op, 0) == MPL_OK && !op.found);
  release(id);
}

/* Keys of all lengths, among them the empty one. */
static void test_keys(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  struct mpl_dict_op op = {.dict = d, .want_old = true, .decide = dicts_decide};
  struct mpl_wait w = MPL_WAIT_INIT;
  char key[300];
  memset(key, 'k', sizeof key);
  for (size_t n = 0; n <= sizeof key; n++) {
    struct dicts_change set = {.verdict = MPL_DICT_STORE, .new = {.bytes = &n, .size = sizeof n}};
    op.key = (struct mpl_dict_key){key, n, mpl_dict_hash(key, n)};
    op.arg = &set;
    CHECK(mpl_dict_change(&op, &w) == MPL_OK && !op.found);
  }
  for (size_t n = 0; n <= sizeof key; n++) {
    op.key = (struct mpl_dict_key){key, n, mpl_dict_hash(key, n)};
    CHECK(mpl_dict_get(&op) == MPL_OK && op.found && memcmp(op.old.bytes, &n, sizeof n) == 0);
  }
  CHECK(dicts_count(d) == sizeof key + 1);
  release(id);
}

/* Keys whose hashes are all alike, or in one shard, are told apart; the checker, too. */
static void test_collisions(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  uint64_t found = 0, i;
  for (i = 1; found < 100; i++) {
    if (mpl_dict_hash(&i, sizeof i) >> 61 != 5) continue;
    CHECK(dicts_set(d, i, 'a', 1 + found++ % 20) == MPL_OK);
  }
  CHECK(dicts_count(d) == 100);
  for (uint64_t k = 1; k < i; k++)
    CHECK(dicts_has(d, k) == (mpl_dict_hash(&k, sizeof k) >> 61 == 5));
  release(id);
}

#define MANY 3000

/* Grows and shrinks, and gives its memory back. */
static void test_growth(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  for (uint64_t i = 1; i <= MANY; i++) CHECK(dicts_set(d, i, (int)(i % 251), 1 + i % 30) == MPL_OK);
  CHECK(dicts_count(d) == MANY && mpl_load64_rlx(&d->split) != 0);
  WORLD_WHOLE();
  for (uint64_t i = 1; i <= MANY; i++) CHECK(dicts_is(d, i, (int)(i % 251), 1 + i % 30));
  uint64_t full = world_sum().used;
  for (uint64_t i = 1; i <= MANY; i++)
    if (i % 100 != 0) CHECK(dicts_remove(d, i));
  CHECK(dicts_count(d) == MANY / 100);
  WORLD_WHOLE();
  CHECK(world_sum().used - before.used < (full - before.used) / 10);
  for (uint64_t i = 1; i <= MANY; i++) CHECK(dicts_has(d, i) == (i % 100 == 0));
  /* A window that moves does not grow. */
  uint64_t now = world_sum().used;
  for (uint64_t i = 1; i <= 10 * MANY; i++) {
    CHECK(dicts_set(d, MANY + i, 'w', 1) == MPL_OK);
    CHECK(i <= 50 || dicts_remove(d, MANY + i - 50));
  }
  CHECK(world_sum().used < now + 50 * 200);
  release(id);
}

static void test_clear(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  CHECK(dicts_clear(d) == MPL_OK);
  for (uint64_t i = 1; i <= MANY; i++)
    CHECK((i % 10 == 0 ? dicts_set_message(d, i, 0) : dicts_set(d, i, 'v', 9)) == MPL_OK);
  uint64_t writes = mpl_dict_writes(d, NULL);
  CHECK(dicts_clear(d) == MPL_OK && dicts_count(d) == 0 && !dicts_has(d, 5));
  CHECK(mpl_dict_writes(d, NULL) > writes && mpl_load64_rlx(&d->waste) == 0);
  CHECK(world_sum().used < before.used + 4096);
  WORLD_WHOLE();
  CHECK(dicts_set(d, 5, 'v', 9) == MPL_OK && dicts_count(d) == 1);
  release(id);
}

/* A change shows in the count of its key's shard and in that of all, through the split too. */
static void test_writes(void) {
  uint64_t id, all = 0, mine = 0, key_number = 1;
  struct mpl_dict *d = make(&id);
  struct mpl_dict_key key = dicts_key(&key_number);
  for (uint64_t i = 1; i <= 3 * MPL_DICT_SMALL; i++) {
    CHECK(dicts_set(d, i, 'v', 1) == MPL_OK);
    CHECK(mpl_dict_writes(d, NULL) > all && mpl_dict_writes(d, &key) >= mine);
    all = mpl_dict_writes(d, NULL);
    mine = mpl_dict_writes(d, &key);
    CHECK(dicts_set(d, 1, 'w', 1) == MPL_OK && mpl_dict_writes(d, &key) > mine);
    mine = mpl_dict_writes(d, &key);
    all = mpl_dict_writes(d, NULL);
    CHECK(dicts_has(d, i) && mpl_dict_writes(d, NULL) == all);
  }
  release(id);
}

/* The order of a snapshot is that of insertion, whatever was changed, removed and grew. */
static void test_order(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  struct mpl_dict_snapshot s;
  CHECK(dicts_snapshot(d, &s) == MPL_OK && s.count == 0 && s.keep == 0);
  mpl_dict_snapshot_free(&s);
  for (uint64_t i = 1; i <= 100; i++) CHECK(dicts_set(d, 1000 - i, 'v', 1) == MPL_OK);
  for (uint64_t i = 1; i <= 100; i += 3) CHECK(dicts_set(d, 1000 - i, 'w', 100) == MPL_OK);
  for (uint64_t i = 2; i <= 100; i += 3) CHECK(dicts_remove(d, 1000 - i));
  CHECK(dicts_set(d, 998, 'n', 2) == MPL_OK);
  CHECK(dicts_snapshot(d, &s) == MPL_OK && s.count == dicts_count(d));
  uint64_t n = 0;
  for (uint64_t i = 1; i <= 100; i++) {
    if (i % 3 == 2) continue;
    CHECK(dicts_key_of(&s, n) == 1000 - i);
    CHECK(s.pair[n].value_size == (i % 3 == 1 ? 100 : 1));
    CHECK(s.bytes[s.pair[n].value_at] == (i % 3 == 1 ? 'w' : 'v'));
    CHECK(n == 0 || s.pair[n].serial > s.pair[n - 1].serial);
    n++;
  }
  CHECK(dicts_key_of(&s, n) == 998 && n + 1 == s.count);
  mpl_dict_snapshot_free(&s);
  release(id);
}

/* The messages of a snapshot stay, whatever becomes of the dict. */
static void test_snapshot_messages(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  struct mpl_dict_snapshot s;
  for (uint64_t i = 1; i <= 40; i++)
    CHECK((i % 2 == 0 ? dicts_set_message(d, i, 1) : dicts_set(d, i, 'v', 9)) == MPL_OK);
  CHECK(dicts_snapshot(d, &s) == MPL_OK && s.count == 40 && s.keep != 0);
  WORLD_WHOLE();
  CHECK(dicts_clear(d) == MPL_OK);
  WORLD_WHOLE();
  for (uint64_t i = 1; i <= 40; i++) {
    CHECK((s.pair[i - 1].message != 0) == (i % 2 == 0));
    if (i % 2 == 0) CHECK(mpl_message_at(s.pair[i - 1].message)->size == WORLD_LETTER);
  }
  mpl_dict_snapshot_free(&s);
  release(id);
}

static void test_pop_newest(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  CHECK(dicts_pop(d) == 0);
  for (uint64_t i = 1; i <= 200; i++) CHECK(dicts_set(d, i, 'v', 3) == MPL_OK);
  for (uint64_t i = 1; i <= 200; i += 2) CHECK(dicts_remove(d, i));
  for (uint64_t i = 200; i > 100; i -= 2) CHECK(dicts_pop(d) == i);
  CHECK(dicts_set_message(d, 7, 1) == MPL_OK);
  CHECK(dicts_pop(d) == 7);
  for (uint64_t i = 100; i > 0; i -= 2) CHECK(dicts_pop(d) == i);
  CHECK(dicts_pop(d) == 0 && dicts_count(d) == 0);
  release(id);
}

/*
** Changes at once
*/

/* What the holder of the gate sees and others do not. */
static void check_from_outside(void *arg) {
  struct mpl_dict *d = arg;
  CHECK(dicts_is(d, 1, 'a', 1) && dicts_is(d, 2, 'a', 1) && !dicts_has(d, 30));
  CHECK(dicts_count(d) == 3);
}

static void test_changes(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  struct mpl_dict_snapshot s;
  for (uint64_t i = 1; i <= 3; i++) CHECK(dicts_set(d, i, 'a', 1) == MPL_OK);
  CHECK(dicts_begin(d, 0) == MPL_OK && mpl_dict_is_begun(d, 0) && !mpl_dict_is_begun(d, 1));
  CHECK(dicts_remove(d, 1) && !dicts_remove(d, 1) && !dicts_has(d, 1));
  CHECK(dicts_set(d, 2, 'b', 60) == MPL_OK && dicts_is(d, 2, 'b', 60));
  CHECK(dicts_set_message(d, 30, 1) == MPL_OK && dicts_is(d, 30, 0, 0));
  CHECK(dicts_set(d, 31, 'c', 1) == MPL_OK && dicts_remove(d, 31) && !dicts_has(d, 31));
  CHECK(dicts_set(d, 32, 'c', 1) == MPL_OK);
  CHECK(dicts_is(d, 3, 'a', 1) && dicts_count(d) == 4);
  CHECK(dicts_snapshot(d, &s) == MPL_OK && s.count == 4);
  CHECK(dicts_key_of(&s, 0) == 2 && s.pair[0].value_size == 60 && dicts_key_of(&s, 1) == 3);
  CHECK(dicts_key_of(&s, 2) == 30 && s.pair[2].message != 0 && dicts_key_of(&s, 3) == 32);
  mpl_dict_snapshot_free(&s);
  WORLD_WHOLE();
  CHECK(world_join(world_start(check_from_outside, d)) == 0);
  CHECK(dicts_pop(d) == 32 && dicts_set(d, 32, 'c', 1) == MPL_OK);
  CHECK(mpl_dict_commit(d) == MPL_OK && !mpl_dict_is_begun(d, 0));
  CHECK(!dicts_has(d, 1) && dicts_is(d, 2, 'b', 60) && dicts_is(d, 3, 'a', 1));
  CHECK(dicts_is(d, 30, 0, 0) && dicts_is(d, 32, 'c', 1) && dicts_count(d) == 4);
  CHECK(dicts_snapshot(d, &s) == MPL_OK && dicts_key_of(&s, 0) == 2 && dicts_key_of(&s, 3) == 32);
  mpl_dict_snapshot_free(&s);
  release(id);
}

static void test_abandon(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  for (uint64_t i = 1; i <= 3; i++) CHECK(dicts_set(d, i, 'a', 1) == MPL_OK);
  CHECK(dicts_begin(d, 0) == MPL_OK);
  CHECK(dicts_clear(d) == MPL_OK && dicts_count(d) == 0 && !dicts_has(d, 2));
  CHECK(dicts_set_message(d, 30, 1) == MPL_OK && dicts_set(d, 2, 'b', 1) == MPL_OK);
  CHECK(dicts_count(d) == 2 && dicts_remove(d, 2) && dicts_count(d) == 1);
  CHECK(dicts_pop(d) == 30 && dicts_pop(d) == 0);
  CHECK(dicts_set_message(d, 30, 1) == MPL_OK);
  WORLD_WHOLE();
  mpl_dict_abandon(d);
  check_from_outside(d);
  CHECK(mpl_load64_rlx(&d->overlay.table) == 0 && mpl_load64_rlx(&d->waste) == 0);
  release(id);
}

/* New keys enough for a split, after the removal of all. */
static void test_cleared(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  for (uint64_t i = 1; i <= 10; i++) CHECK(dicts_set_message(d, i, 1) == MPL_OK);
  for (int round = 0; round < 2; round++) {
    CHECK(dicts_begin(d, 0) == MPL_OK && dicts_clear(d) == MPL_OK);
    for (uint64_t i = 5; i <= 200; i++) CHECK(dicts_set(d, i, 'n', 1 + i % 40) == MPL_OK);
    CHECK(dicts_count(d) == 196 && dicts_pop(d) == 200);
    CHECK(mpl_dict_commit(d) == MPL_OK);
    CHECK(dicts_count(d) == 195 && !dicts_has(d, 1) && dicts_is(d, 5, 'n', 6));
    CHECK(mpl_load64_rlx(&d->waste) == 0 && mpl_load64_rlx(&d->cleared) == 0);
    WORLD_WHOLE();
  }
  CHECK(dicts_begin(d, 0) == MPL_OK && dicts_clear(d) == MPL_OK && mpl_dict_commit(d) == MPL_OK);
  CHECK(dicts_count(d) == 0);
  release(id);
}

/* pop_newest in the overlay goes through all that is there. */
static void test_pop_begun(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  for (uint64_t i = 1; i <= 50; i++) CHECK(dicts_set(d, i, 'v', 3) == MPL_OK);
  CHECK(dicts_begin(d, 0) == MPL_OK);
  CHECK(dicts_set(d, 51, 'n', 1) == MPL_OK && dicts_set(d, 3, 'c', 1) == MPL_OK);
  for (uint64_t i = 51; i > 0; i--) CHECK(dicts_pop(d) == i);
  CHECK(dicts_pop(d) == 0 && mpl_dict_commit(d) == MPL_OK && dicts_count(d) == 0);
  release(id);
}

/*
** Without memory
*/

static unsigned long fails_from, asked;

static bool fails(void) {
  return ++asked >= fails_from;
}

/* Tries with the n-th allocation failing, and all after it, for n = 1, 2, ... until it can be done;
   in between nothing may have changed. */
static void try_until_done(struct mpl_dict *d, enum mpl_status (*operate)(struct mpl_dict *d)) {
  uint64_t count = dicts_count(d);
  enum mpl_status e = MPL_NOMEM;
  for (fails_from = 1; e != MPL_OK; fails_from++) {
    asked = 0;
    mpl_fault = fails;
    e = operate(d);
    mpl_fault = NULL;
    WORLD_WHOLE();
    CHECK(e == MPL_OK || (e == MPL_NOMEM && asked >= fails_from && dicts_count(d) == count));
  }
}

static uint64_t next_key;

static enum mpl_status set_next(struct mpl_dict *d) {
  return dicts_set(d, next_key, 'v', 5);
}

static enum mpl_status set_longer(struct mpl_dict *d) {
  return dicts_set(d, 1, 'w', 100);
}

static enum mpl_status commit(struct mpl_dict *d) {
  enum mpl_status e = mpl_dict_commit(d);
  CHECK(mpl_dict_is_begun(d, 0) == (e != MPL_OK));
  return e;
}

static void test_memory(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  for (next_key = 1; next_key <= 60; next_key++) try_until_done(d, set_next);
  CHECK(dicts_count(d) == 60);
  try_until_done(d, set_longer);
  for (int round = 0; round < 2; round++) {
    CHECK(dicts_begin(d, 0) == MPL_OK);
    if (round == 1) CHECK(dicts_clear(d) == MPL_OK);
    for (uint64_t i = 200; i < 300; i++) CHECK(dicts_set(d, i, 'c', 9) == MPL_OK);
    CHECK(dicts_remove(d, 1) == (round == 0) && dicts_count(d) == (round == 0 ? 159 : 100));
    try_until_done(d, commit);
    CHECK(dicts_count(d) == (round == 0 ? 159 : 100) && dicts_is(d, 250, 'c', 9));
  }
  release(id);
}

/*
** Two processes
*/

#define ROUNDS 2000
#define WIDE 100

static void add_all(void *arg) {
  uint64_t sum;
  for (uint64_t r = 0; r < ROUNDS; r++)
    CHECK(dicts_add(arg, r % WIDE, 1, &sum, world_deadline()) == MPL_OK);
}

/* Nothing is lost, while the dict splits and grows. */
static void test_two_add(void) {
  uint64_t id, sum;
  struct mpl_dict *d = make(&id);
  struct mpl_child *child[2] = {world_start(add_all, d), world_start(add_all, d)};
  CHECK(world_join(child[0]) == 0 && world_join(child[1]) == 0);
  for (uint64_t i = 0; i < WIDE; i++)
    CHECK(dicts_add(d, i, 1, &sum, 0) == MPL_OK && sum == 2 * ROUNDS / WIDE + 1);
  release(id);
}

#define TOTAL 1000

static void transfer(void *arg) {
  struct mpl_dict *d = arg;
  uint64_t sum;
  for (uint64_t r = 0; r < ROUNDS / 10; r++) {
    CHECK(dicts_begin(d, world_deadline()) == MPL_OK);
    CHECK(dicts_add(d, r % WIDE, (uint64_t)-1, &sum, 0) == MPL_OK);
    CHECK(dicts_add(d, (r * 7 + 1) % WIDE, 1, &sum, 0) == MPL_OK);
    if (r % 5 == 0) mpl_dict_abandon(d);
    else CHECK(mpl_dict_commit(d) == MPL_OK);
  }
}

static uint64_t sum_of(struct mpl_dict *d) {
  struct mpl_dict_snapshot s;
  uint64_t sum = 0;
  CHECK(dicts_snapshot(d, &s) == MPL_OK);
  for (uint64_t i = 0; i < s.count; i++) {
    uint64_t v;
    memcpy(&v, s.bytes + s.pair[i].value_at, sizeof v);
    sum += v;
  }
  mpl_dict_snapshot_free(&s);
  return sum;
}

/* Who looks sees all of a group of changes or nothing of it. */
static void test_two_transfer(void) {
  uint64_t id, sum;
  struct mpl_dict *d = make(&id);
  CHECK(dicts_add(d, 0, TOTAL, &sum, 0) == MPL_OK);
  struct mpl_child *child[2] = {world_start(transfer, d), world_start(transfer, d)};
  while (!mpl_child_ended(child[0]) || !mpl_child_ended(child[1])) {
    CHECK(sum_of(d) == TOTAL);
    mpl_child_reap();
  }
  CHECK(world_join(child[0]) == 0 && world_join(child[1]) == 0 && sum_of(d) == TOTAL);
  release(id);
}

static void set_late(void *arg) {
  CHECK(dicts_set(arg, 1, 'l', 1) == MPL_OK);
}

/* A change waits for the gate, and its waiter is woken by the commit; or by the death of the
   holder. */
static void hold_gate_and_die(void *arg) {
  struct mpl_dict *d = arg;
  CHECK(dicts_begin(d, 0) == MPL_OK);
  CHECK(dicts_set(d, 1, 'd', 1) == MPL_OK && dicts_set_message(d, 2, 1) == MPL_OK);
  kill(getpid(), SIGKILL);
}

static void test_gate(void) {
  uint64_t id;
  struct mpl_dict *d = make(&id);
  CHECK(dicts_begin(d, 0) == MPL_OK && dicts_set(d, 1, 'f', 1) == MPL_OK);
  struct mpl_child *child = world_start(set_late, d);
  world_until_asleep(child->ident, &d->gate.released);
  CHECK(mpl_dict_commit(d) == MPL_OK);
  CHECK(world_join(child) == 0 && dicts_is(d, 1, 'l', 1));
  CHECK(world_join(world_start(hold_gate_and_die, d)) == -SIGKILL);
  CHECK(dicts_is(d, 1, 'l', 1) && dicts_set(d, 1, 'm', 2) == MPL_OK && !dicts_has(d, 2));
  WORLD_WHOLE();
  CHECK(mpl_load64_rlx(&d->overlay.table) != 0);
  CHECK(dicts_begin(d, 0) == MPL_OK && dicts_is(d, 1, 'm', 2) && !dicts_has(d, 2));
  CHECK(mpl_load64_rlx(&d->overlay.table) == 0);
  mpl_dict_abandon(d);
  CHECK(world_join(world_start(hold_gate_and_die, d)) == -SIGKILL);
  release(id);
}

int main(void) {
  dicts_register();
  unit_run("values", test_values);
  unit_run("old values", test_old);
  unit_run("keys", test_keys);
  unit_run("collisions", test_collisions);
  unit_run("growth", test_growth);
  unit_run("clear", test_clear);
  unit_run("writes", test_writes);
  unit_run("order", test_order);
  unit_run("messages of a snapshot", test_snapshot_messages);
  unit_run("pop_newest", test_pop_newest);
  unit_run("changes at once", test_changes);
  unit_run("abandon", test_abandon);
  unit_run("cleared", test_cleared);
  unit_run("pop_newest in changes", test_pop_begun);
  unit_run("memory", test_memory);
  unit_run("two add", test_two_add);
  unit_run("two transfer", test_two_transfer);
  unit_run("gate", test_gate);
  return unit_end("dict_test");
}
