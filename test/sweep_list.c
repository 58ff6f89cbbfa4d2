/*
** The crash sweep of list: see crash.h.
*/
/* Of level 2 one in so many; CFLAGS=-DCRASH_SAMPLED=1 sweeps all of it. */
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 16
#endif

#include "crash.h"
#include "ds/keep.h"
#include "ds/list.h"

#define LONGEST 40

/* The elements of a list are said by a letter each: a letter is itself, M a message. */
static struct {
  uint64_t id, own_id;
  struct mpl_list *list, *own;
  mpl_off message;
  const char *before, *after; /* of what is swept */
  uint64_t writes;
  struct world_sleeper sleeper;
} s;

static void prepare_letter(void) {
  s.message = world_letter(1);
}

static struct mpl_value value_of(const char *letter) {
  if (*letter == 'M' && s.message == 0) prepare_letter();
  mpl_off message = s.message;
  s.message = 0;
  if (*letter == 'M') return (struct mpl_value){.message = message};
  return (struct mpl_value){.bytes = letter, .size = 1};
}

static void insert_at(struct mpl_list *l, int64_t at, const char *letter) {
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_value v = value_of(letter);
  CHECK(mpl_list_insert(l, 0, at, &v, &w) == MPL_OK);
}

/* Takes an element out; its letter. */
static char take_at(int64_t at) {
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_list_image image;
  CHECK(mpl_list_take(s.list, 0, at, false, &image, &w) == MPL_OK);
  struct mpl_value v = mpl_list_value_of(&image);
  if (v.message == 0) return *(const char *)v.bytes;
  mpl_message_drop(mpl_self, v.message);
  mpl_object_bury();
  return 'M';
}

/* A list whose first cell is not that of its block, if it has two elements. */
static void make(const char *elements, uint64_t *id, struct mpl_list **l) {
  size_t n = strlen(elements), half = n / 2;
  CHECK(mpl_list_new(id) == MPL_OK);
  *l = mpl_object_body(*id, MPL_TYPE_LIST);
  for (size_t i = half; i < n; i++) insert_at(*l, INT64_MAX, &elements[i]);
  for (size_t i = half; i > 0; i--) insert_at(*l, 0, &elements[i - 1]);
}

static void scene(const char *before, const char *after) {
  make(before, &s.id, &s.list);
  s.before = before;
  s.after = after;
  s.writes = mpl_list_writes(s.list);
  world_sleep_on(&s.list->changed, &s.sleeper);
}

static char letter_of(const struct mpl_list_image *image) {
  struct mpl_value v = mpl_list_value_of(image);
  if (v.message == 0) {
    CHECK(v.size == 1);
    return *(const char *)v.bytes;
  }
  const char *text = mpl_message_data(v.message);
  uint64_t lock = mpl_load64_rlx(&mpl_message_at(v.message)->ref[0]);
  CHECK(text[0] == 'x' && text[WORLD_LETTER - 1] == 'x');
  CHECK(mpl_object_type_of(lock) == MPL_TYPE_LOCK);
  return 'M';
}

static bool is(struct mpl_list *l, const char *elements) {
  struct mpl_list_snapshot copy;
  char letter[LONGEST + 1] = "";
  CHECK(mpl_list_snapshot(l, 1, -1, &copy) == MPL_OK && copy.count <= LONGEST);
  CHECK(copy.count == mpl_list_count(l));
  for (uint64_t i = 0; i < copy.count; i++) letter[i] = letter_of(&copy.cell[i]);
  mpl_list_snapshot_free(&copy);
  return strcmp(letter, elements) == 0;
}

static void release(void) {
  mpl_reflist_release(s.id);
}

/* The list can be used on. */
static void use(const char *elements) {
  size_t n = strlen(elements);
  char more[LONGEST + 4];
  snprintf(more, sizeof more, "1%.*s2%s3", (int)(n / 2), elements, elements + n / 2);
  insert_at(s.list, (int64_t)(n / 2), "2");
  insert_at(s.list, 0, "1");
  insert_at(s.list, INT64_MAX, "3");
  CHECK(is(s.list, more));
  CHECK(take_at(0) == '1' && take_at(-1) == '3' && take_at((int64_t)(n / 2)) == '2');
  CHECK(is(s.list, elements));
}

/* It happened, and whoever waits for a change was woken; or it did not happen. */
static void verify(bool finished) {
  bool changed = mpl_list_writes(s.list) != s.writes;
  CHECK(changed || !finished);
  CHECK(is(s.list, changed ? s.after : s.before));
  if (changed) CHECK(mpl_list_writes(s.list) == s.writes + 1);
  if (changed) CHECK(world_woken(&s.sleeper));
  use(changed ? s.after : s.before);
  release();
}

static void verify_same(bool finished) {
  CHECK(mpl_list_writes(s.list) == s.writes);
  verify(false);
  (void)finished;
}

/*
** Objects
*/

static void new_list(void) {
  CHECK(mpl_list_new(&s.id) == MPL_OK);
}

static void make_full(void) {
  make("aMb", &s.id, &s.list);
}

/*
** One element
*/

static void setup_first(void) { scene("", "x"); }
static void setup_append(void) { scene("ab", "abx"); }
static void setup_append_grow(void) { scene("abcdefgh", "abcdefghx"); }
static void setup_prepend(void) { scene("ab", "xab"); }
static void setup_near_begin(void) { scene("abcdefg", "abxcdefg"); }
static void setup_near_end(void) { scene("abcdefg", "abcdxefg"); }
static void setup_middle_message(void) { scene("aMcdMg", "aMMcdMg"); }
static void setup_middle_grow(void) { scene("abcdefgh", "abcxdefgh"); }

static void append(void) { insert_at(s.list, INT64_MAX, "x"); }
static void prepend(void) { insert_at(s.list, 0, "x"); }
static void insert_near_begin(void) { insert_at(s.list, 2, "x"); }
static void insert_near_end(void) { insert_at(s.list, -3, "x"); }
static void insert_message(void) { insert_at(s.list, 2, "M"); }
static void insert_grow(void) { insert_at(s.list, 3, "x"); }

static void setup_set(void) { scene("abc", "axc"); }
static void setup_set_messages(void) { scene("aMcM", "aMcM"); }

static void set_at(int64_t at, const char *letter) {
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_value v = value_of(letter);
  CHECK(mpl_list_set(s.list, 0, at, &v, &w) == MPL_OK);
  mpl_object_bury();
}

static void set(void) { set_at(1, "x"); }
static void set_message(void) { set_at(1, "M"); }
static void set_append(void) { set_at(2, "x"); }

static void setup_pop(void) { scene("abx", "ab"); }
static void setup_pop_first(void) { scene("xab", "ab"); }
static void setup_take_near_begin(void) { scene("abxcdefg", "abcdefg"); }
static void setup_take_near_end(void) { scene("abcdexfg", "abcdefg"); }
static void setup_take_message(void) { scene("aMMcdMg", "aMcdMg"); }

static void pop(void) { CHECK(take_at(-1) == 'x'); }
static void pop_first(void) { CHECK(take_at(0) == 'x'); }
static void take_near_begin(void) { CHECK(take_at(2) == 'x'); }
static void take_near_end(void) { CHECK(take_at(-3) == 'x'); }
static void take_message(void) { CHECK(take_at(2) == 'M'); }

/* Of sixteen cells four are in use. */
static void setup_shrink(void) {
  scene("axbcdefgh", "abc");
  for (int i = 0; i < 5; i++) take_at(-1);
  s.before = "axbc";
  s.writes = mpl_list_writes(s.list);
  world_sleep_on(&s.list->changed, &s.sleeper);
}

static void take_shrink(void) { CHECK(take_at(1) == 'x'); }

static void setup_get(void) { scene("aMb", "aMb"); }

static void get_message(void) {
  struct mpl_list_image image;
  CHECK(mpl_list_get(s.list, 1, &image) == MPL_OK && letter_of(&image) == 'M');
  mpl_message_drop(mpl_self, image.word[1]);
  mpl_object_bury();
}

/* The message that is read goes from the list meanwhile. */
static void get_last(void) {
  struct mpl_list_image image;
  CHECK(mpl_list_get(s.list, 1, &image) == MPL_OK);
  CHECK(take_at(1) == 'M' && letter_of(&image) == 'M');
  mpl_message_drop(mpl_self, image.word[1]);
  mpl_object_bury();
}

static void setup_get_last(void) { scene("aMb", "ab"); }

/*
** All of it
*/

static void make_own(void) {
  make("dMe", &s.own_id, &s.own);
}

static void make_short(void) {
  make("de", &s.own_id, &s.own);
}

static void setup_splice(void) {
  scene("ab", "abdMe");
}

static void setup_splice_grow(void) {
  scene("abcdefgh", "abcdefghde");
}

static void splice_own(void) {
  struct mpl_wait w = MPL_WAIT_INIT;
  CHECK(mpl_list_splice(s.list, 0, s.own, &w) == MPL_OK);
  CHECK(is(s.own, ""));
  mpl_reflist_release(s.own_id);
}

static void setup_swap(void) {
  scene("abc", "dMe");
}

static void swap(void) {
  struct mpl_wait w = MPL_WAIT_INIT;
  CHECK(mpl_list_swap(s.list, 0, s.own, &w) == MPL_OK);
  CHECK(is(s.own, s.before));
  mpl_reflist_release(s.own_id);
}

static void setup_snapshot(void) { scene("MMaMMM", "MMaMMM"); }

static void snapshot(void) {
  CHECK(is(s.list, s.before));
}

/*
** Two at once
*/

static void setup_two(void) { scene("abcdefg", NULL); }
static void insert_y(void) { insert_at(s.list, 4, "y"); }

static void verify_two(bool finished) {
  static const char *const ends[] = {"abcdefg", "abxcdefg", "abcdyefg", "abxcydefg", "abxcdyefg"};
  bool known = false;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    known = known || (is(s.list, ends[i]) && (!finished || strchr(ends[i], 'x') != NULL));
  CHECK(known);
  CHECK(mpl_list_writes(s.list) - s.writes == mpl_list_count(s.list) - strlen(s.before));
  release();
}

/*
** The gate: who dies with it is no obstacle, and what it had done stays
*/

static void change_alone(void) {
  struct mpl_wait w = MPL_WAIT_INIT;
  CHECK(mpl_lock_try(&s.list->gate, 0, &w) == MPL_OK);
  insert_near_begin();
  CHECK(mpl_lock_release(&s.list->gate) == MPL_OK);
}

#define OP(what, prefix) .name = (what), .setup = setup_##prefix, .verify = verify
static const struct crash_op ops[] = {
    {.name = "new list", .operate = new_list},
    {.name = "release of a list", .prepare = make_full, .operate = release},
    {OP("append the first", first), .operate = append},
    {OP("append", append), .operate = append},
    {OP("append and grow", append_grow), .operate = append},
    {OP("append by assignment", append), .operate = set_append, .sturdy = true},
    {OP("insert as the first", prepend), .operate = prepend},
    {OP("insert near the begin", near_begin), .operate = insert_near_begin},
    {OP("insert near the end", near_end), .operate = insert_near_end},
    {OP("insert a message", middle_message), .prepare = prepare_letter, .operate = insert_message},
    {OP("insert and grow", middle_grow), .operate = insert_grow},
    {OP("set", set), .operate = set},
    {OP("set a message", set_messages), .prepare = prepare_letter, .operate = set_message},
    {OP("pop", pop), .operate = pop},
    {OP("pop the first", pop_first), .operate = pop_first},
    {OP("take near the begin", take_near_begin), .operate = take_near_begin},
    {OP("take near the end", take_near_end), .operate = take_near_end},
    {OP("take a message", take_message), .operate = take_message},
    {OP("take and shrink", shrink), .operate = take_shrink},
    {.name = "get a message", .setup = setup_get, .operate = get_message, .verify = verify_same},
    {OP("get a message that goes", get_last), .operate = get_last},
    {OP("splice", splice), .prepare = make_own, .operate = splice_own},
    {OP("splice and grow", splice_grow), .prepare = make_short, .operate = splice_own},
    {OP("swap", swap), .prepare = make_own, .operate = swap},
    {.name = "snapshot", .setup = setup_snapshot, .operate = snapshot, .verify = verify_same},
    {.name = "insert beside another", .setup = setup_two, .operate = insert_near_begin,
     .also = insert_y, .verify = verify_two},
    {OP("change alone", near_begin), .operate = change_alone},
};

int main(int argc, char **argv) {
  mpl_list_register();
  mpl_keep_register();
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
