/*
** Cells: what each type takes, atomic changes, the reference to the lock, workers killed at any
** moment.
*/
#include <math.h>

#include "ds/cells.h"
#include "ds/rlock.h"
#include "world.h"

static const char letters[] = "cbBhHiIlLqQfd";

static uint64_t cells_id, lock_id;
static struct mpl_cells *cells;

static union mpl_cell whole(int64_t i) {
  return (union mpl_cell){.i = i};
}

static union mpl_cell real(double d) {
  return (union mpl_cell){.d = d};
}

/* A Value or an Array of zeros that refers to a lock, which is known to nobody else. */
static void make(enum mpl_object_type kind, char letter, uint64_t count) {
  CHECK(mpl_rlock_new(&lock_id) == MPL_OK);
  CHECK(mpl_cells_new(kind, mpl_cells_type_of(letter), count, NULL, lock_id, &cells_id) == MPL_OK);
  mpl_reflist_release(lock_id);
  cells = mpl_object_body(cells_id, kind);
  CHECK(cells != NULL);
}

static void make_array(char letter, uint64_t count) {
  world_make();
  make(MPL_TYPE_ARRAY, letter, count);
}

static void drop(void) {
  mpl_reflist_release(cells_id);
}

/*
** Types
*/

static void letters_known(void) {
  static const char *const sizes[] = {"cbB", "hH", "iIf", "lLqQd"};
  for (int k = 0; k < 4; k++)
    for (const char *l = sizes[k]; *l != '\0'; l++) {
      CHECK(mpl_cells_type_of(*l) != NULL && mpl_cells_type_of(*l)->letter == *l);
      CHECK(mpl_cells_type_of(*l)->size == 1 << k);
    }
  for (int c = 0; c < 256; c++)
    CHECK((mpl_cells_type_of((char)c) != NULL) == (c != 0 && strchr(letters, c) != NULL));
}

/* Every value of the ends of the range comes back, between neighbours that stay as they are. */
static void integers(void) {
  world_make();
  for (const char *l = letters; *l != 'f'; l++) {
    make(MPL_TYPE_ARRAY, *l, 3);
    const struct mpl_cells_type *type = &cells->type;
    const int64_t values[] = {type->min, type->min + 1, type->max - 1, type->max, 0, 1};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
      CHECK(mpl_cells_fits(type, whole(values[i])));
      mpl_cells_set(cells, 1, whole(values[i]));
      CHECK(mpl_cells_get(cells, 1).i == values[i]);
      CHECK(mpl_cells_get(cells, 0).i == 0 && mpl_cells_get(cells, 2).i == 0);
    }
    CHECK(type->max == INT64_MAX || !mpl_cells_fits(type, whole(type->max + 1)));
    CHECK(type->min == INT64_MIN || !mpl_cells_fits(type, whole(type->min - 1)));
    drop();
  }
  WORLD_WHOLE();
}

static void reals(void) {
  static const double values[] = {0.0, -0.0, 0.5, -1e30, INFINITY, -INFINITY};
  const struct mpl_cells_type *f = mpl_cells_type_of('f');
  world_make();
  for (const char *l = "fd"; *l != '\0'; l++) {
    make(MPL_TYPE_ARRAY, *l, 3);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
      double expected = *l == 'f' ? (double)(float)values[i] : values[i];
      CHECK(mpl_cells_fits(&cells->type, real(values[i])));
      mpl_cells_set(cells, 1, real(values[i]));
      double got = mpl_cells_get(cells, 1).d;
      CHECK(memcmp(&got, &expected, sizeof got) == 0);
    }
    mpl_cells_set(cells, 1, real(NAN));
    CHECK(isnan(mpl_cells_get(cells, 1).d));
    CHECK(mpl_cells_get(cells, 0).d == 0 && mpl_cells_get(cells, 2).d == 0);
    drop();
  }
  CHECK(mpl_cells_fits(f, real(3.4028234e38)) && mpl_cells_fits(f, real(NAN)));
  CHECK(!mpl_cells_fits(f, real(3.5e38)) && !mpl_cells_fits(f, real(-1e300)));
}

static void bytes(void) {
  make_array('H', 4);
  static const uint16_t in[] = {1, 2, 65535};
  uint16_t out[4];
  mpl_cells_write(cells, 1, 3, in);
  mpl_cells_read(cells, 0, 4, out);
  CHECK(out[0] == 0 && memcmp(out + 1, in, sizeof in) == 0);
  CHECK(mpl_cells_get(cells, 3).i == 65535);
  static const uint64_t good[] = {0, INT64_MAX}, bad[] = {0, (uint64_t)INT64_MAX + 1};
  CHECK(mpl_cells_bytes_fit(mpl_cells_type_of('Q'), good, 2));
  CHECK(!mpl_cells_bytes_fit(mpl_cells_type_of('Q'), bad, 2));
  CHECK(mpl_cells_bytes_fit(mpl_cells_type_of('q'), bad, 2));
}

/*
** Atomic changes
*/

static void add_in_range(void) {
  union mpl_cell sum;
  world_make();
  for (const char *l = letters + 1; *l != 'f'; l++) {
    make(MPL_TYPE_VALUE, *l, 1);
    const struct mpl_cells_type *type = &cells->type;
    mpl_cells_set(cells, 0, whole(type->max - 1));
    CHECK(mpl_cells_add(cells, 0, whole(1), &sum) && sum.i == type->max);
    CHECK(!mpl_cells_add(cells, 0, whole(1), &sum) && sum.i == type->max);
    CHECK(!mpl_cells_add(cells, 0, whole(INT64_MAX), &sum));
    CHECK(mpl_cells_get(cells, 0).i == type->max);
    mpl_cells_set(cells, 0, whole(type->min + 1));
    CHECK(mpl_cells_add(cells, 0, whole(-1), &sum) && sum.i == type->min);
    CHECK(!mpl_cells_add(cells, 0, whole(-1), &sum) && mpl_cells_get(cells, 0).i == type->min);
    drop();
  }
  make(MPL_TYPE_VALUE, 'f', 1);
  CHECK(mpl_cells_add(cells, 0, real(0.1), &sum) && sum.d == (double)0.1f);
  mpl_cells_set(cells, 0, real(3e38));
  CHECK(!mpl_cells_add(cells, 0, real(3e38), &sum) && sum.d == (double)3e38f);
}

static void exchange_and_compare(void) {
  world_make();
  make(MPL_TYPE_ARRAY, 'h', 2);
  CHECK(mpl_cells_exchange(cells, 1, whole(-5)).i == 0);
  CHECK(mpl_cells_exchange(cells, 1, whole(7)).i == -5);
  CHECK(!mpl_cells_compare_and_set(cells, 1, whole(6), whole(1)));
  CHECK(mpl_cells_get(cells, 1).i == 7);
  CHECK(mpl_cells_compare_and_set(cells, 1, whole(7), whole(-1)));
  CHECK(mpl_cells_get(cells, 1).i == -1);
  CHECK(mpl_cells_get(cells, 0).i == 0);
  drop();
  make(MPL_TYPE_VALUE, 'f', 1);
  mpl_cells_set(cells, 0, real(-0.0));
  CHECK(mpl_cells_compare_and_set(cells, 0, real(0.0), real(0.1)));
  CHECK(mpl_cells_compare_and_set(cells, 0, real(0.1), real(NAN)));
  CHECK(!mpl_cells_compare_and_set(cells, 0, real(NAN), real(0)));
}

#define PROCESSES 4
#define TIMES 30000

static void add_often(void *arg) {
  union mpl_cell sum;
  for (int i = 0; i < TIMES; i++) {
    for (uint64_t at = 0; at < cells->count; at++)
      CHECK(mpl_cells_add(cells, at, *(union mpl_cell *)arg, &sum));
    union mpl_cell found;
    do {
      found = mpl_cells_get(cells, 0);
    } while (!mpl_cells_compare_and_set(cells, 0, found, mpl_cells_is_real(&cells->type)
                                                             ? real(found.d + 1)
                                                             : whole(found.i + 1)));
  }
}

/* Elements side by side, added to by several processes: nothing is lost, nothing strays. */
static void add_together(void) {
  world_make();
  for (const char *l = "iQdf"; *l != '\0'; l++) {
    make(MPL_TYPE_ARRAY, *l, 3);
    bool is_real = mpl_cells_is_real(&cells->type);
    union mpl_cell one = is_real ? real(1) : whole(1);
    struct mpl_child *child[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) child[i] = world_start(add_often, &one);
    for (int i = 0; i < PROCESSES; i++) CHECK(world_join(child[i]) == 0);
    for (uint64_t at = 0; at < 3; at++) {
      int64_t expected = PROCESSES * TIMES * (at == 0 ? 2 : 1);
      union mpl_cell v = mpl_cells_get(cells, at);
      CHECK(is_real ? v.d == (double)expected : v.i == expected);
    }
    drop();
  }
  WORLD_WHOLE();
}

static void add_bytes(void *arg) {
  union mpl_cell sum;
  uint64_t at = *(uint64_t *)arg;
  for (int round = 0; round < TIMES; round++) {
    for (int i = 0; i < 255; i++) CHECK(mpl_cells_add(cells, at, whole(1), &sum));
    CHECK(sum.i == 255 && mpl_cells_exchange(cells, at, whole(0)).i == 255);
  }
}

/* Bytes of one word, each changed by a process of its own. */
static void neighbours(void) {
  make_array('B', PROCESSES);
  struct mpl_child *child[PROCESSES];
  uint64_t at[PROCESSES];
  for (uint64_t i = 0; i < PROCESSES; i++) {
    at[i] = i;
    child[i] = world_start(add_bytes, &at[i]);
  }
  for (int i = 0; i < PROCESSES; i++) CHECK(world_join(child[i]) == 0);
}

/*
** Objects
*/

static void holds_its_lock(void) {
  world_make();
  uint64_t other;
  CHECK(mpl_lock_new(&other) == MPL_OK);
  struct world_sum before = world_sum();
  make(MPL_TYPE_VALUE, 'i', 1);
  CHECK(mpl_load64_rlx(&cells->lock) == lock_id);
  CHECK(mpl_object_body(lock_id, MPL_TYPE_RLOCK) != NULL);
  WORLD_WHOLE();
  drop();
  CHECK(mpl_object_body(lock_id, MPL_TYPE_RLOCK) == NULL);
  WORLD_SAME(before);

  const struct mpl_cells_type *type = mpl_cells_type_of('i');
  CHECK(mpl_cells_new(MPL_TYPE_ARRAY, type, 5, NULL, other, &cells_id) == MPL_OK);
  WORLD_WHOLE();
  drop();
  CHECK(mpl_object_body(other, MPL_TYPE_LOCK) != NULL);
  WORLD_SAME(before);
}

/* Memory that was used before is zero, too. */
static void zeros(void) {
  world_make();
  make(MPL_TYPE_ARRAY, 'q', 1000);
  for (uint64_t i = 0; i < 1000; i++) mpl_cells_set(cells, i, whole(-1));
  drop();
  make(MPL_TYPE_ARRAY, 'q', 1000);
  for (uint64_t i = 0; i < 1000; i++) CHECK(mpl_cells_get(cells, i).i == 0);
}

static void too_large(void) {
  static const uint64_t counts[] = {(uint64_t)1 << 45, (uint64_t)1 << 61, UINT64_MAX / 8,
                                    UINT64_MAX};
  make_array('d', 0);
  const struct mpl_cells_type *type = mpl_cells_type_of('d');
  struct world_sum before = world_sum();
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    uint64_t id;
    CHECK(mpl_cells_new(MPL_TYPE_ARRAY, type, counts[i], NULL, 0, &id) == MPL_NOMEM);
  }
  WORLD_SAME(before);
  WORLD_WHOLE();
}

static bool whole_arena(void) {
  const char *fault;
  return mpl_shm_check(&fault);
}

static void checked(void) {
  make_array('i', 10);
  CHECK(whole_arena());
  cells->count += 1000;
  CHECK(!whole_arena());
  cells->count -= 1000;
  cells->type.letter = 'x';
  CHECK(!whole_arena());
  cells->type.letter = 'h';
  CHECK(!whole_arena());
  cells->type.letter = 'i';
  mpl_store64_rlx(&cells->lock, 0);
  CHECK(!whole_arena());
  mpl_store64_rlx(&cells->lock, cells_id);
  CHECK(!whole_arena());
  mpl_store64_rlx(&cells->lock, lock_id);
  CHECK(whole_arena());
}

/*
** Deaths at any moment. Workers add to a number that all share, say so in one of their own, and
** make and drop values in between. Whoever is killed had added at most once more than it had said.
*/

#define WORKERS 3
#define KILLS 150

static void work(void *arg) {
  uint64_t mine = *(uint64_t *)arg;
  struct mpl_cells *shared = cells;
  union mpl_cell sum;
  for (;;) {
    CHECK(mpl_cells_add(shared, 0, whole(1), &sum));
    CHECK(mpl_cells_add(shared, mine, whole(1), &sum));
    make(MPL_TYPE_VALUE, 'd', 1);
    drop();
  }
}

static void killed_at_work(void) {
  struct mpl_child *worker[WORKERS];
  uint64_t place[WORKERS];
  make_array('q', WORKERS + 1);
  struct world_sum before = world_sum();
  for (uint64_t i = 0; i < WORKERS; i++) place[i] = i + 1;
  for (int i = 0; i < WORKERS; i++) worker[i] = world_start(work, &place[i]);
  for (int kills = 0; kills < KILLS; kills++) {
    int i = kills % WORKERS;
    int64_t end = world_deadline(), seen = mpl_cells_get(cells, place[i]).i;
    while (mpl_cells_get(cells, place[i]).i < seen + 1 + kills % 7) {
      CHECK(mpl_os_now() < end);
      sched_yield();
    }
    CHECK(kill(worker[i]->pid, SIGKILL) == 0 && world_join(worker[i]) == -SIGKILL);
    worker[i] = world_start(work, &place[i]);
  }
  for (int i = 0; i < WORKERS; i++)
    CHECK(kill(worker[i]->pid, SIGKILL) == 0 && world_join(worker[i]) == -SIGKILL);
  world_sweep();
  mpl_object_bury();
  int64_t said = 0;
  for (int i = 0; i < WORKERS; i++) said += mpl_cells_get(cells, place[i]).i;
  CHECK(mpl_cells_get(cells, 0).i >= said);
  CHECK(mpl_cells_get(cells, 0).i <= said + KILLS + WORKERS);
  WORLD_WHOLE();
  CHECK(world_sum().objects == before.objects && world_sum().slots == before.slots);
}

int main(int argc, char **argv) {
  (void)argc;
  mpl_cells_register();
  mpl_rlock_register();
  unit_run("letters", letters_known);
  unit_run("integers", integers);
  unit_run("reals", reals);
  unit_run("bytes", bytes);
  unit_run("add in range", add_in_range);
  unit_run("exchange and compare", exchange_and_compare);
  unit_run("add together", add_together);
  unit_run("neighbours", neighbours);
  unit_run("holds its lock", holds_its_lock);
  unit_run("zeros", zeros);
  unit_run("too large", too_large);
  unit_run("checked", checked);
  unit_run("killed at work", killed_at_work);
  return unit_end(argv[0]);
}
