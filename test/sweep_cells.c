/*
** The crash sweep of Value and Array: see crash.h.
*/
/* Level 2 for one in so many first deaths; CFLAGS=-DCRASH_SAMPLED=1 sweeps all of it. */
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 6
#endif

#include "crash.h"
#include "ds/cells.h"
#include "ds/rlock.h"

static struct {
  uint64_t id;
  struct mpl_cells *cells;
} s;

static union mpl_cell whole(int64_t i) {
  return (union mpl_cell){.i = i};
}

/* Integers, all 0, with a lock that is known to nobody else. */
static void make(enum mpl_object_type kind, uint64_t count) {
  uint64_t lock;
  CHECK(mpl_rlock_new(&lock) == MPL_OK);
  CHECK(mpl_cells_new(kind, mpl_cells_type_of('i'), count, NULL, lock, &s.id) == MPL_OK);
  mpl_reflist_release(lock);
  s.cells = mpl_object_body(s.id, kind);
  CHECK(s.cells != NULL);
}

/*
** Objects
*/

static void new_value(void) {
  make(MPL_TYPE_VALUE, 1);
}

static void new_array(void) {
  static const uint64_t first[] = {1, 2, 3};
  CHECK(mpl_cells_new(MPL_TYPE_ARRAY, mpl_cells_type_of('i'), 3, first, 0, &s.id) == MPL_OK);
}

static void release(void) {
  mpl_reflist_release(s.id);
  mpl_object_bury();
}

/*
** Elements
*/

static void setup_array(void) {
  make(MPL_TYPE_ARRAY, 3);
  mpl_cells_set(s.cells, 1, whole(5));
}

static void set(void) {
  mpl_cells_set(s.cells, 1, whole(7));
}

static void add(void) {
  union mpl_cell sum;
  CHECK(mpl_cells_add(s.cells, 1, whole(2), &sum) && sum.i == 7);
}

static void exchange(void) {
  CHECK(mpl_cells_exchange(s.cells, 1, whole(7)).i == 5);
}

static void compare_and_set(void) {
  CHECK(mpl_cells_compare_and_set(s.cells, 1, whole(5), whole(7)));
}

static void verify_changed(bool finished) {
  int64_t v = mpl_cells_get(s.cells, 1).i;
  CHECK(finished ? v == 7 : v == 5 || v == 7);
  CHECK(mpl_cells_get(s.cells, 0).i == 0 && mpl_cells_get(s.cells, 2).i == 0);
  CHECK(mpl_object_body(mpl_load64_rlx(&s.cells->lock), MPL_TYPE_RLOCK) != NULL);
  release();
}

/* Two at once: nothing is lost. The second one marks its begin and its end. */
static void add_beside(void) {
  union mpl_cell sum;
  mpl_cells_set(s.cells, 0, whole(1));
  CHECK(mpl_cells_add(s.cells, 1, whole(20), &sum) && (sum.i == 25 || sum.i == 27));
  mpl_cells_set(s.cells, 2, whole(1));
}

static void add_first(void) {
  union mpl_cell sum;
  CHECK(mpl_cells_add(s.cells, 1, whole(2), &sum) && (sum.i == 7 || sum.i == 27));
}

static void verify_added(bool finished) {
  int64_t v = mpl_cells_get(s.cells, 1).i;
  bool first = v == 7 || v == 27, second = v == 25 || v == 27;
  bool began = mpl_cells_get(s.cells, 0).i == 1, ended = mpl_cells_get(s.cells, 2).i == 1;
  CHECK(first || second || v == 5);
  CHECK((first || !finished) && (second || !ended));
  CHECK(!second || began);
  release();
}

static void write_all(void) {
  static const int32_t in[] = {1, 7, 3};
  mpl_cells_write(s.cells, 0, 3, in);
}

/* Elements are old or new, and the new ones come first. */
static void verify_written(bool finished) {
  int64_t a = mpl_cells_get(s.cells, 0).i, b = mpl_cells_get(s.cells, 1).i;
  int64_t c = mpl_cells_get(s.cells, 2).i;
  CHECK((a == 0 || a == 1) && (b == 5 || b == 7) && (c == 0 || c == 3));
  CHECK(a == 1 || b == 5);
  CHECK(b == 7 || c == 0);
  CHECK(c == 3 || !finished);
  release();
}

static const struct crash_op ops[] = {
    {.name = "new value with a lock", .operate = new_value},
    {.name = "new array", .operate = new_array},
    {.name = "release of a value", .prepare = new_value, .operate = release},
    {.name = "set", .setup = setup_array, .operate = set, .verify = verify_changed,
     .sturdy = true},
    {.name = "add", .setup = setup_array, .operate = add, .verify = verify_changed,
     .sturdy = true},
    {.name = "add beside another", .setup = setup_array, .operate = add_first,
     .also = add_beside, .verify = verify_added, .sturdy = true},
    {.name = "exchange", .setup = setup_array, .operate = exchange, .verify = verify_changed,
     .sturdy = true},
    {.name = "compare and set", .setup = setup_array, .operate = compare_and_set,
     .verify = verify_changed, .sturdy = true},
    {.name = "write several", .setup = setup_array, .operate = write_all,
     .verify = verify_written, .sturdy = true},
};

int main(int argc, char **argv) {
  mpl_cells_register();
  mpl_rlock_register();
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
