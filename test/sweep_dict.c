/*
** The crash sweep of dicts: see crash.h.
*/
/* Of level 2 one in so many; CFLAGS=-DCRASH_SAMPLED=1 sweeps all of it. */
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 80
#endif

#include "crash.h"
#include "dicts.h"

#define SPLIT_KEYS 3 /* that stay in a dict that is split */

static struct {
  uint64_t id;
  struct mpl_dict *d;
  uint64_t writes; /* before all */
} s;

static void setup_empty(void) {
  CHECK(mpl_dict_new(MPL_TYPE_DICT, &s.id) == MPL_OK);
  s.d = dicts_at(s.id);
  s.writes = 0;
}

/* The scene is set. */
static void ready(void) {
  s.writes = mpl_dict_writes(s.d, NULL);
}

static void fill(uint64_t n) {
  setup_empty();
  for (uint64_t i = 1; i <= n; i++) CHECK(dicts_set(s.d, i, 'a', 5) == MPL_OK);
  ready();
}

/* None; what another scene has said of its dict does not hold for this one. */
static void setup_none(void) {
  fill(0);
}

/* Keys 1 to 3. */
static void setup_three(void) {
  fill(3);
}

/* Key 1 is a letter. */
static void setup_letter(void) {
  fill(3);
  CHECK(dicts_set_message(s.d, 1, 0) == MPL_OK);
  ready();
}

/* Keys 1 to SPLIT_KEYS. */
static void setup_split(void) {
  fill(MPL_DICT_SMALL + 1);
  CHECK(mpl_load64_rlx(&s.d->split) != 0);
  for (uint64_t i = SPLIT_KEYS; i++ <= MPL_DICT_SMALL;) CHECK(dicts_remove(s.d, i));
  ready();
}

/* What must hold whatever happened, and then the dict goes on and ends. */
static void go_on(void) {
  struct mpl_dict_snapshot all;
  uint64_t n = dicts_count(s.d);
  CHECK(dicts_snapshot(s.d, &all) == MPL_OK && all.count == n);
  mpl_dict_snapshot_free(&all);
  CHECK(dicts_set(s.d, 1, 'z', 100) == MPL_OK && dicts_is(s.d, 1, 'z', 100));
  CHECK(dicts_begin(s.d, world_deadline()) == MPL_OK);
  CHECK(mpl_load64_rlx(&s.d->overlay.table) == 0 && mpl_load64_rlx(&s.d->waste) == 0);
  CHECK(dicts_set(s.d, 1000, 'z', 1) == MPL_OK && mpl_dict_commit(s.d) == MPL_OK);
  CHECK(dicts_is(s.d, 1000, 'z', 1));
  mpl_reflist_release(s.id);
  mpl_object_bury();
}

static void release(void) {
  mpl_reflist_release(s.id);
  mpl_object_bury();
}

/* One of two states; who waits for a change is told exactly if there was one. */
static void judge(bool finished, bool is_old, bool is_new) {
  CHECK(finished ? is_new : is_old || is_new);
  CHECK(is_old != is_new);
  CHECK((mpl_dict_writes(s.d, NULL) != s.writes) == is_new);
  go_on();
}

/*
** One key
*/

static void set_new(void) {
  CHECK(dicts_set(s.d, 9, 'b', 5) == MPL_OK);
}

static void verify_new(bool finished) {
  CHECK(dicts_is(s.d, 1, 'a', 5));
  judge(finished, !dicts_has(s.d, 9) && dicts_count(s.d) == 3,
        dicts_is(s.d, 9, 'b', 5) && dicts_count(s.d) == 4);
}

static void verify_first(bool finished) {
  judge(finished, dicts_count(s.d) == 0, dicts_is(s.d, 9, 'b', 5) && dicts_count(s.d) == 1);
}

static void set_in_place(void) {
  CHECK(dicts_set(s.d, 1, 'b', 6) == MPL_OK);
}

static void verify_in_place(bool finished) {
  CHECK(dicts_count(s.d) == 3 && dicts_is(s.d, 2, 'a', 5));
  judge(finished, dicts_is(s.d, 1, 'a', 5), dicts_is(s.d, 1, 'b', 6));
}

static void set_large(void) {
  CHECK(dicts_set(s.d, 1, 'b', 100) == MPL_OK);
}

static void verify_large(bool finished) {
  CHECK(dicts_count(s.d) == 3 && dicts_is(s.d, 2, 'a', 5));
  judge(finished, dicts_is(s.d, 1, 'a', 5) || dicts_is(s.d, 1, 0, 0), dicts_is(s.d, 1, 'b', 100));
}

static void set_letter(void) {
  CHECK(dicts_set_message(s.d, 1, 1) == MPL_OK);
}

static void verify_letter(bool finished) {
  judge(finished, dicts_is(s.d, 1, 'a', 5), dicts_is(s.d, 1, 0, 0));
}

/* They differ in their references. */
static void verify_other_letter(bool finished) {
  struct mpl_dict_op op;
  CHECK(dicts_get(s.d, 1, &op) && op.old.message != 0);
  uint64_t nrefs = mpl_load64_rlx(&mpl_message_at(op.old.message)->nrefs);
  dicts_drop(&op);
  judge(finished, nrefs == 0, nrefs == 1);
}

static void set_new_letter(void) {
  CHECK(dicts_set_message(s.d, 9, 0) == MPL_OK);
}

static void verify_new_letter(bool finished) {
  judge(finished, !dicts_has(s.d, 9), dicts_is(s.d, 9, 0, 0));
}

static void get(void) {
  CHECK(dicts_is(s.d, 1, 0, 0));
}

static void verify_same_letter(bool finished) {
  (void)finished;
  CHECK(dicts_count(s.d) == 3 && dicts_is(s.d, 1, 0, 0));
  go_on();
}

/* The value that went is the victim's for a while. */
static void take(void) {
  struct mpl_dict_op op = {.want_old = true};
  struct dicts_change change = {.verdict = MPL_DICT_REMOVE};
  CHECK(dicts_change(s.d, 1, &change, &op, 0) == MPL_OK && op.found);
  dicts_drop(&op);
}

static void verify_taken(bool finished) {
  bool there = dicts_is(s.d, 1, 0, 0);
  judge(finished, there && dicts_count(s.d) == 3, !there && dicts_count(s.d) == 2);
}

static void remove_one(void) {
  CHECK(dicts_remove(s.d, 1));
}

static void verify_removed(bool finished) {
  bool there = dicts_is(s.d, 1, 'a', 5);
  judge(finished, there && dicts_count(s.d) == 3, !dicts_has(s.d, 1) && dicts_count(s.d) == 2);
}

static void setup_one(void) {
  fill(1);
}

/* The table goes with the last entry. */
static void verify_last_removed(bool finished) {
  judge(finished, dicts_count(s.d) == 1, dicts_count(s.d) == 0);
}

/*
** Growth
*/

/* As many as a table has room for. */
static void setup_full(void) {
  fill(1);
  uint64_t i = 1;
  while (mpl_dict_table_of(&s.d->first)->capacity > i) CHECK(dicts_set(s.d, ++i, 'a', 5) == MPL_OK);
  CHECK(i + 1 < MPL_DICT_SMALL);
  ready();
}

static void set_beyond(void) {
  CHECK(dicts_set(s.d, 90, 'b', 5) == MPL_OK);
}

static void verify_grown(bool finished) {
  uint64_t n = dicts_count(s.d);
  bool new = dicts_has(s.d, 90);
  for (uint64_t i = 1; i <= n - new; i++) CHECK(dicts_is(s.d, i, 'a', 5));
  judge(finished, !new, new);
}

/* The next change splits it. */
static void setup_before_split(void) {
  fill(MPL_DICT_SMALL);
  CHECK(mpl_load64_rlx(&s.d->split) == 0);
}

static void set_beside(void) {
  CHECK(dicts_set(s.d, 91, 'c', 5) == MPL_OK);
}

/* Two at once, of whom one or none splits it. */
static void verify_split(bool finished) {
  CHECK(dicts_count(s.d) == MPL_DICT_SMALL + (uint64_t)dicts_has(s.d, 90) + dicts_has(s.d, 91));
  CHECK(!finished || (dicts_is(s.d, 90, 'b', 5) && mpl_load64_rlx(&s.d->split) != 0));
  go_on();
}

/*
** All of it
*/

/* Some letters among the rest. */
static void setup_letters(void) {
  setup_split();
  CHECK(dicts_set_message(s.d, 3, 1) == MPL_OK);
  ready();
}

static void setup_few_letters(void) {
  setup_letter();
  CHECK(dicts_set_message(s.d, 3, 1) == MPL_OK);
  ready();
}

static void clear(void) {
  CHECK(dicts_clear(s.d) == MPL_OK);
}

static void verify_cleared(bool finished) {
  uint64_t n = dicts_count(s.d);
  judge(finished, n == SPLIT_KEYS, n == 0);
}

/* Somebody died clearing: what he left is freed by the next who clears. */
static void prepare_waste(void) {
  CHECK(dicts_set(s.d, 100, 'w', 5) == MPL_OK);
}

static void clear_and_set(void) {
  CHECK(dicts_clear(s.d) == MPL_OK);
  CHECK(dicts_set(s.d, 1, 'b', 5) == MPL_OK);
  CHECK(dicts_clear(s.d) == MPL_OK);
}

static void verify_cleared_twice(bool finished) {
  uint64_t n = dicts_count(s.d);
  CHECK(finished ? n == 0 : n <= 4);
  go_on();
}

static void pop(void) {
  CHECK(dicts_pop(s.d) == 3);
}

static void verify_popped(bool finished) {
  bool there = dicts_has(s.d, 3);
  judge(finished, there && dicts_count(s.d) == 3, !there && dicts_count(s.d) == 2);
}

static void snapshot(void) {
  struct mpl_dict_snapshot all;
  CHECK(dicts_snapshot(s.d, &all) == MPL_OK && all.count == 3 && all.keep != 0);
  mpl_dict_snapshot_free(&all);
}

static void verify_untouched(bool finished) {
  (void)finished;
  CHECK(dicts_count(s.d) == 3 && dicts_is(s.d, 1, 0, 0) && dicts_is(s.d, 2, 'a', 5));
  go_on();
}

/*
** Changes at once: key 1 is removed, key 2 replaced in its place, key 3 by a letter, 9 and 10 are
** new.
*/

static void begin(void) {
  CHECK(dicts_begin(s.d, 0) == MPL_OK);
}

static void collect(void) {
  CHECK(dicts_remove(s.d, 1));
  CHECK(dicts_set(s.d, 2, 'c', 5) == MPL_OK);
  CHECK(dicts_set_message(s.d, 3, 0) == MPL_OK);
  CHECK(dicts_set(s.d, 9, 'c', 5) == MPL_OK);
  CHECK(dicts_set_message(s.d, 10, 1) == MPL_OK);
}

static void collect_few(void) {
  CHECK(dicts_remove(s.d, 1));
  CHECK(dicts_set_message(s.d, 2, 0) == MPL_OK);
  CHECK(dicts_set(s.d, 2, 'c', 5) == MPL_OK && dicts_remove(s.d, 2));
}

static void begin_and_collect(void) {
  begin();
  collect();
}

static void commit(void) {
  CHECK(mpl_dict_commit(s.d) == MPL_OK);
}

/* Little enough to be swept with its beginning. */
static void change_both(void) {
  CHECK(dicts_begin(s.d, world_deadline()) == MPL_OK);
  CHECK(dicts_remove(s.d, 1));
  CHECK(dicts_set(s.d, 2, 'c', 5) == MPL_OK);
  commit();
}

static bool is_changed(uint64_t n) {
  return !dicts_has(s.d, 1) && dicts_is(s.d, 2, 'c', 5) && dicts_is(s.d, 3, 0, 0) &&
         dicts_is(s.d, 9, 'c', 5) && dicts_is(s.d, 10, 0, 0) && dicts_count(s.d) == n + 1;
}

static bool is_unchanged(uint64_t n) {
  return dicts_has(s.d, 1) && dicts_is(s.d, 2, 'a', 5) && dicts_is(s.d, 3, 'a', 5) &&
         !dicts_has(s.d, 9) && !dicts_has(s.d, 10) && dicts_count(s.d) == n;
}

static void verify_committed(bool finished) {
  judge(finished, is_unchanged(3), is_changed(3));
}


static void verify_collected(bool finished) {
  (void)finished;
  CHECK(is_unchanged(3));
  go_on();
}

static void abandon(void) {
  mpl_dict_abandon(s.d);
}

static void verify_committed_split(bool finished) {
  bool new = !dicts_has(s.d, 1);
  judge(finished, !new && is_unchanged(SPLIT_KEYS), new && is_changed(SPLIT_KEYS));
}

/* All goes, and there are two others, one of a key that was there. */
static void prepare_cleared(void) {
  begin();
  CHECK(dicts_set(s.d, 50, 'c', 5) == MPL_OK && dicts_clear(s.d) == MPL_OK);
  CHECK(dicts_set(s.d, 2, 'c', 5) == MPL_OK && dicts_set_message(s.d, 51, 1) == MPL_OK);
}

static void verify_committed_cleared(bool finished) {
  judge(finished, dicts_is(s.d, 1, 'a', 5) && dicts_is(s.d, 2, 'a', 5) && !dicts_has(s.d, 51) &&
                      dicts_count(s.d) == SPLIT_KEYS,
        dicts_is(s.d, 2, 'c', 5) && dicts_is(s.d, 51, 0, 0) && dicts_count(s.d) == 2);
}

/* With the new key it is split first. */
static void setup_nearly_split(void) {
  fill(MPL_DICT_SMALL - 1);
}

static void prepare_one_more(void) {
  begin();
  CHECK(dicts_set(s.d, 1, 'c', 5) == MPL_OK && dicts_set(s.d, 50, 'c', 5) == MPL_OK);
}

static void verify_one_more(bool finished) {
  CHECK(!finished || mpl_load64_rlx(&s.d->split) != 0);
  judge(finished, dicts_is(s.d, 1, 'a', 5) && dicts_count(s.d) == MPL_DICT_SMALL - 1,
        dicts_is(s.d, 1, 'c', 5) && dicts_is(s.d, 50, 'c', 5) &&
            dicts_count(s.d) == MPL_DICT_SMALL);
}

/* Beside a commit somebody looks, and sees all of it or nothing; and changes a key, before or
   after. */
static void look_and_set(void) {
  struct mpl_dict_snapshot all;
  CHECK(dicts_snapshot(s.d, &all) == MPL_OK && (all.count == 3 || all.count == 2));
  const struct mpl_dict_pair *two = &all.pair[all.count - 2];
  CHECK(dicts_key_of(&all, all.count - 2) == 2);
  CHECK(all.bytes[two->value_at] == (all.count == 2 ? 'c' : 'a'));
  mpl_dict_snapshot_free(&all);
  CHECK(dicts_set(s.d, 1, 'f', 5) == MPL_OK);
}

static void verify_pair(bool finished) {
  bool new = dicts_is(s.d, 2, 'c', 5), gone = !dicts_has(s.d, 1);
  CHECK(new || (!finished && dicts_is(s.d, 2, 'a', 5)));
  CHECK(gone ? new : dicts_is(s.d, 1, 'f', 5) || (dicts_is(s.d, 1, 'a', 5) && !new));
  CHECK(dicts_count(s.d) == (gone ? 2 : 3));
  go_on();
}

/*
** Objects
*/

static void end_with_all(void) {
  setup_split();
  CHECK(dicts_remove(s.d, 1) && dicts_set_message(s.d, 2, 1) == MPL_OK);
  CHECK(dicts_begin(s.d, 0) == MPL_OK && dicts_set(s.d, 3, 'x', 5) == MPL_OK);
}

static const struct crash_op ops[] = {
    {.name = "new", .operate = setup_empty},
    {.name = "end", .prepare = end_with_all, .operate = release},
    {.name = "set the first", .setup = setup_none, .operate = set_new, .verify = verify_first},
    {.name = "set new", .setup = setup_three, .operate = set_new, .verify = verify_new},
    {.name = "set in place", .setup = setup_three, .operate = set_in_place,
     .verify = verify_in_place},
    {.name = "set in another entry", .setup = setup_three, .operate = set_large,
     .verify = verify_large},
    {.name = "set a message", .setup = setup_three, .operate = set_letter,
     .verify = verify_letter},
    {.name = "set a message for one", .setup = setup_letter, .operate = set_letter,
     .verify = verify_other_letter},
    {.name = "set bytes for a message", .setup = setup_letter, .operate = set_large,
     .verify = verify_large},
    {.name = "set a new message", .setup = setup_three, .operate = set_new_letter,
     .verify = verify_new_letter},
    {.name = "get a message", .setup = setup_letter, .operate = get,
     .verify = verify_same_letter},
    {.name = "take a message", .setup = setup_letter, .operate = take, .verify = verify_taken},
    {.name = "remove", .setup = setup_three, .operate = remove_one, .verify = verify_removed},
    {.name = "remove the last", .setup = setup_one, .operate = remove_one,
     .verify = verify_last_removed},
    {.name = "growth", .setup = setup_full, .operate = set_beyond, .verify = verify_grown},
    {.name = "split", .setup = setup_before_split, .operate = set_beyond, .also = set_beside,
     .verify = verify_split},
    {.name = "clear", .setup = setup_letters, .operate = clear, .verify = verify_cleared},
    {.name = "clear twice", .setup = setup_few_letters, .prepare = prepare_waste,
     .operate = clear_and_set, .verify = verify_cleared_twice},
    {.name = "pop_newest", .setup = setup_few_letters, .operate = pop, .verify = verify_popped},
    {.name = "snapshot", .setup = setup_few_letters, .operate = snapshot,
     .verify = verify_untouched},
    {.name = "begin", .setup = setup_three, .operate = begin, .verify = verify_collected,
     .sturdy = true},
    {.name = "collect", .setup = setup_three, .prepare = begin, .operate = collect_few,
     .verify = verify_collected},
    {.name = "commit", .setup = setup_three, .prepare = begin_and_collect, .operate = commit,
     .verify = verify_committed},
    {.name = "commit in shards", .setup = setup_split, .prepare = begin_and_collect,
     .operate = commit, .verify = verify_committed_split},
    {.name = "commit, all removed", .setup = setup_split, .prepare = prepare_cleared,
     .operate = commit, .verify = verify_committed_cleared},
    {.name = "commit and split", .setup = setup_nearly_split, .prepare = prepare_one_more,
     .operate = commit, .verify = verify_one_more},
    {.name = "abandon", .setup = setup_three, .prepare = begin_and_collect, .operate = abandon,
     .verify = verify_collected},
    {.name = "commit beside another", .setup = setup_three, .operate = change_both,
     .also = look_and_set, .verify = verify_pair, .sturdy = true},
};

int main(int argc, char **argv) {
  dicts_register();
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
