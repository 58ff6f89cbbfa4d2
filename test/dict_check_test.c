/*
** The checker of the arena finds what can be wrong with a dict: a process of its own spoils a word
** of a sound one and expects the fault. (See check_test.c for the rest of the arena.)
*/
#include "dicts.h"
#include "ds/dict_inside.h"

/* The scene: a dict that is split, with changes begun, and the first entry of a shard. */
static struct mpl_dict *d;
static struct mpl_dict_shard *shard;
static struct mpl_dict_table *table;
static struct mpl_dict_entry *entry;

static void make_scene(void) {
  uint64_t id;
  world_make();
  CHECK(mpl_dict_new(MPL_TYPE_DICT, &id) == MPL_OK);
  d = dicts_at(id);
  for (uint64_t i = 1; i <= 100; i++) CHECK(dicts_set(d, i, 'v', 5) == MPL_OK);
  CHECK(dicts_set_message(d, 50, 1) == MPL_OK);
  CHECK(dicts_begin(d, 0) == MPL_OK && dicts_set(d, 1, 'w', 5) == MPL_OK && dicts_remove(d, 2));
  shard = mpl_dict_shards_at(mpl_load64_rlx(&d->split));
  table = mpl_dict_table_of(shard);
  CHECK(table != NULL && mpl_load64_rlx(&shard->count) > 1);
  entry = mpl_dict_table_entry(table, 0);
}

static void set(mpl_a64 *word, uint64_t value) {
  mpl_store64_rlx(word, value);
}

static void add(mpl_a64 *word, uint64_t n) {
  set(word, mpl_load64_rlx(word) + n);
}

static void one_more(void) {
  add(&shard->count, 1);
}

static void entry_lost(void) {
  set(&table->place[0], 0);
}

static void other_hash(void) {
  set(&table->place[0], mpl_load64_rlx(&table->place[0]) ^ (uint64_t)1 << 63);
}

static void other_key(void) {
  add(&entry->word[0], 1);
}

static void not_in_index(void) {
  for (uint64_t i = 0; i < table->capacity; i++) set(&table->place[table->capacity + i], 0);
}

static void place_unused(void) {
  add(&table->used, UINT64_MAX);
}

static void wrong_top(void) {
  set(&table->top, 0);
}

static void table_too_small(void) {
  table->capacity *= 2;
}

static void long_key(void) {
  entry->key_size = 1 << 20;
}

static void long_value(void) {
  set(&entry->value, (MPL_VALUE_INLINE + 1) << 1 | 1);
}

static void message_of_nothing(void) {
  mpl_off block;
  CHECK(mpl_heap_alloc(1000, &block) == MPL_OK);
  mpl_heap_free(mpl_self, block);
  set(&entry->value, block);
}

static void mark_in_shard(void) {
  set(&entry->value, 0);
}

static void late_serial(void) {
  set(&entry->serial, mpl_load64_rlx(&d->serial));
}

static void early_serial(void) {
  set(&mpl_dict_table_entry(table, 1)->serial, mpl_load64_rlx(&entry->serial));
}

static void other_shard(void) {
  uint64_t t = mpl_load64_rlx(&shard[1].table), n = mpl_load64_rlx(&shard[1].count);
  set(&shard[1].table, mpl_load64_rlx(&shard->table));
  set(&shard[1].count, mpl_load64_rlx(&shard->count));
  set(&shard->table, t);
  set(&shard->count, n);
}

static void table_twice(void) {
  set(&d->first.table, mpl_load64_rlx(&shard->table));
}

static void overlay_count(void) {
  add(&d->overlay.count, 1);
}

static void applying(void) {
  set(&d->applying, 2);
}

static void owned_waste(void) {
  set(&d->waste, mpl_load64_rlx(&shard->table));
}

static const char not_whole[] = "an object is not whole";

static const struct {
  const char *fault;
  void (*spoil)(void);
} cases[] = {
    {not_whole, one_more}, {not_whole, entry_lost}, {not_whole, other_hash},
    {not_whole, other_key}, {not_whole, not_in_index}, {not_whole, place_unused},
    {not_whole, wrong_top}, {not_whole, table_too_small}, {not_whole, long_key},
    {not_whole, long_value}, {"something owns a block that is not in use", message_of_nothing},
    {not_whole, mark_in_shard}, {not_whole, late_serial}, {not_whole, early_serial},
    {not_whole, other_shard}, {not_whole, table_twice}, {not_whole, overlay_count},
    {not_whole, applying}, {not_whole, owned_waste},
};

static size_t current;

static void expect_fault(void) {
  make_scene();
  world_expect_fault(cases[current].spoil, cases[current].fault);
}

int main(void) {
  char name[80];
  dicts_register();
  for (current = 0; current < sizeof cases / sizeof *cases; current++) {
    snprintf(name, sizeof name, "%s, case %zu", cases[current].fault, current);
    unit_run(name, expect_fault);
  }
  return unit_end("dict_check_test");
}
