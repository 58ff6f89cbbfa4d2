/*
** Lists: against a plain array as their model, places, the gate, snapshots, memory given back,
** processes killed at any moment, and checkers that see what is wrong.
*/
#include "ds/keep.h"
#include "ds/list.h"
#include "world.h"

#define MOST 300
#define STEPS 30000
#define WORKERS 4

static uint64_t id;
static struct mpl_list *list;

static void make(void) {
  mpl_list_register();
  mpl_keep_register();
  world_make();
  CHECK(mpl_list_new(&id) == MPL_OK);
  list = mpl_object_body(id, MPL_TYPE_LIST);
}

static void drop(struct world_sum before) {
  mpl_reflist_release(id);
  mpl_object_bury();
  WORLD_WHOLE();
  WORLD_SAME(before);
}

/* A well mixed sequence. */
static uint64_t draw(uint64_t *seed) {
  uint64_t z = *seed += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Numbers of four bytes; every third is a message. */
static struct mpl_value value_of(const uint32_t *number) {
  mpl_off message;
  if (*number % 3 != 0) return (struct mpl_value){.bytes = number, .size = sizeof *number};
  CHECK(mpl_message_new(sizeof *number, 0, &message) == MPL_OK);
  memcpy(mpl_message_data(message), number, sizeof *number);
  return (struct mpl_value){.message = message};
}

static uint32_t number_of(const struct mpl_list_image *image) {
  struct mpl_value v = mpl_list_value_of(image);
  uint32_t number;
  if (v.message != 0) v.size = mpl_message_at(v.message)->size;
  CHECK(v.size == sizeof number);
  memcpy(&number, v.message != 0 ? mpl_message_data(v.message) : v.bytes, sizeof number);
  CHECK((v.message != 0) == (number % 3 == 0));
  return number;
}

/* The same; a message lies in the hand, and is dropped. */
static uint32_t number_taken(const struct mpl_list_image *image) {
  uint32_t number = number_of(image);
  struct mpl_value v = mpl_list_value_of(image);
  if (v.message != 0) mpl_message_drop(mpl_self, v.message);
  return number;
}

static enum mpl_status insert(struct mpl_list *l, int64_t at, uint32_t number) {
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_value v = value_of(&number);
  enum mpl_status s = mpl_list_insert(l, 0, at, &v, &w);
  if (s != MPL_OK && v.message != 0) mpl_message_drop(mpl_self, v.message);
  return s;
}

static enum mpl_status set(int64_t at, uint32_t number) {
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_value v = value_of(&number);
  enum mpl_status s = mpl_list_set(list, 0, at, &v, &w);
  if (s != MPL_OK && v.message != 0) mpl_message_drop(mpl_self, v.message);
  return s;
}

static enum mpl_status take(int64_t at, uint32_t *number) {
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_list_image image;
  enum mpl_status s = mpl_list_take(list, 0, at, false, &image, &w);
  if (s == MPL_OK) *number = number_taken(&image);
  return s;
}

/*
** One process
*/

static uint32_t model[MOST];
static uint64_t count;

static void model_insert(uint64_t at, uint32_t number) {
  memmove(model + at + 1, model + at, (count - at) * sizeof *model);
  model[at] = number;
  count++;
}

static void model_remove(uint64_t at) {
  count--;
  memmove(model + at, model + at + 1, (count - at) * sizeof *model);
}

static void agree(void) {
  struct mpl_list_snapshot copy;
  CHECK(mpl_list_count(list) == count);
  CHECK(mpl_list_snapshot(list, 1, -1, &copy) == MPL_OK && copy.count == count);
  for (uint64_t i = 0; i < count; i++) CHECK(number_of(&copy.cell[i]) == model[i]);
  mpl_list_snapshot_free(&copy);
}

/* One random operation on both. Phases of growth and of shrinking take turns. */
static void step(uint64_t i, uint64_t r) {
  uint32_t number = (uint32_t)i, got = 0;
  struct mpl_list_image image;
  uint64_t at = count > 0 ? (r >> 8) % count : 0;
  int64_t place = (r & 128) != 0 ? (int64_t)at : (int64_t)at - (int64_t)count;
  bool grows = (i / MOST) % 2 == 0 ? r % 4 != 0 : r % 4 == 0;
  if (count > 0 && (r >> 3) % 8 == 0) {
    CHECK(set(place, number) == MPL_OK);
    model[at] = number;
  } else if (count > 0 && (r >> 3) % 8 == 1) {
    CHECK(mpl_list_get(list, place, &image) == MPL_OK && number_taken(&image) == model[at]);
  } else if (grows && count < MOST) {
    if ((r >> 3) % 8 == 2) at = count;
    CHECK(insert(list, (int64_t)at, number) == MPL_OK);
    model_insert(at, number);
  } else if (count > 0) {
    CHECK(take(place, &got) == MPL_OK && got == model[at]);
    model_remove(at);
  }
}

static void as_the_model(void) {
  uint64_t seed = 1;
  struct world_sum before;
  make();
  mpl_reflist_release(id);
  before = world_sum();
  CHECK(mpl_list_new(&id) == MPL_OK);
  list = mpl_object_body(id, MPL_TYPE_LIST);
  for (uint64_t i = 0; i < STEPS; i++) {
    step(i, draw(&seed));
    if (i % 64 == 0) agree();
  }
  agree();
  WORLD_WHOLE();
  drop(before);
}

static void places(void) {
  uint32_t got;
  struct mpl_list_image image;
  make();
  CHECK(take(-1, &got) == MPL_MISUSE && take(0, &got) == MPL_MISUSE);
  CHECK(mpl_list_get(list, 0, &image) == MPL_MISUSE);
  CHECK(set(1, 7) == MPL_MISUSE && set(-1, 7) == MPL_MISUSE && set(0, 1) == MPL_OK);
  CHECK(insert(list, -9, 2) == MPL_OK && insert(list, 9, 3) == MPL_OK);
  CHECK(insert(list, -1, 4) == MPL_OK);
  model[0] = 2, model[1] = 1, model[2] = 4, model[3] = 3;
  count = 4;
  agree();
  CHECK(take(4, &got) == MPL_MISUSE && take(-5, &got) == MPL_MISUSE);
  CHECK(take(-4, &got) == MPL_OK && got == 2);
  CHECK(set(3, 6) == MPL_OK && set(5, 6) == MPL_MISUSE && mpl_list_count(list) == 4);
}

static void last_only(void) {
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_list_image image;
  make();
  for (uint32_t i = 1; i <= 3; i++) CHECK(insert(list, INT64_MAX, i) == MPL_OK);
  CHECK(mpl_list_take(list, 0, 1, true, &image, &w) == MPL_MISUSE);
  CHECK(mpl_list_take(list, 0, 3, true, &image, &w) == MPL_MISUSE);
  CHECK(mpl_list_take(list, 0, 2, true, &image, &w) == MPL_OK && number_taken(&image) == 3);
  CHECK(mpl_list_count(list) == 2);
}

/* As string.sub. */
static void parts(void) {
  static const struct { int64_t first, last; uint64_t place, count; } part[] = {
      {1, -1, 0, 5}, {2, 3, 1, 2}, {0, 2, 0, 2}, {-2, -1, 3, 2}, {-9, 2, 0, 2},
      {3, 99, 2, 3}, {6, 9, 5, 0}, {4, 2, 3, 0}, {1, -6, 0, 0},  {5, 5, 4, 1},
  };
  make();
  for (uint32_t i = 0; i < 5; i++) CHECK(insert(list, INT64_MAX, 10 + i) == MPL_OK);
  for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
    struct mpl_list_snapshot copy;
    CHECK(mpl_list_snapshot(list, part[i].first, part[i].last, &copy) == MPL_OK);
    CHECK(copy.count == part[i].count);
    for (uint64_t k = 0; k < copy.count; k++)
      CHECK(copy.place == part[i].place && number_of(&copy.cell[k]) == 10 + copy.place + k);
    mpl_list_snapshot_free(&copy);
  }
}

/* A snapshot has its messages although they go from the list. */
static void snapshot_outlives(void) {
  struct mpl_list_snapshot copy;
  uint32_t got;
  make();
  struct world_sum before = world_sum();
  for (uint32_t i = 0; i < 9; i++) CHECK(insert(list, INT64_MAX, i) == MPL_OK);
  CHECK(mpl_list_snapshot(list, 2, -2, &copy) == MPL_OK && copy.count == 7);
  for (uint32_t i = 0; i < 9; i++) CHECK(take(0, &got) == MPL_OK && got == i);
  for (uint32_t i = 0; i < 7; i++) CHECK(number_of(&copy.cell[i]) == i + 1);
  WORLD_WHOLE();
  mpl_list_snapshot_free(&copy);
  mpl_list_snapshot_free(&copy);
  CHECK(world_sum().objects == before.objects);
}

/* What has shrunk needs no more memory than what was never larger. */
static void memory_given_back(void) {
  uint32_t got;
  make();
  for (uint32_t i = 0; i < 3; i++) CHECK(insert(list, INT64_MAX, i) == MPL_OK);
  struct world_sum before = world_sum();
  for (uint32_t i = 0; i < 20000; i++) CHECK(insert(list, INT64_MAX, i) == MPL_OK);
  CHECK(world_sum().used > before.used + 20000 * sizeof(struct mpl_list_image));
  for (uint32_t i = 0; i < 20000; i++) CHECK(take(-1, &got) == MPL_OK && got == 19999 - i);
  WORLD_SAME(before);
}

static void out_of_memory(void) {
  setenv("MPL_SHM_SIZE", "4M", 1);
  make();
  uint32_t n = 0;
  enum mpl_status s;
  while ((s = insert(list, INT64_MAX, n * 3 + 1)) == MPL_OK) n++;
  CHECK(s == MPL_NOMEM && n > 1000 && mpl_list_count(list) == n);
  for (uint32_t i = 0; i < n; i += 97) {
    struct mpl_list_image image;
    CHECK(mpl_list_get(list, i, &image) == MPL_OK && number_taken(&image) == i * 3 + 1);
  }
  WORLD_WHOLE();
  uint32_t got;
  CHECK(take(0, &got) == MPL_OK && insert(list, INT64_MAX, 1) == MPL_OK);
}

/*
** Several processes
*/

static void change_behind_gate(void *arg) {
  struct mpl_wait w = MPL_WAIT_INIT;
  uint32_t number = 7;
  struct mpl_value v = {.bytes = &number, .size = sizeof number};
  enum mpl_status s;
  (void)arg;
  while ((s = mpl_list_insert(list, 0, 0, &v, &w)) == MPL_BLOCK)
    CHECK(world_step(&w, world_deadline()) == MPL_OK);
  CHECK(s == MPL_OK && mpl_wait_slept(&w));
  mpl_lock_pass_on(&list->gate);
  mpl_wait_done(&w);
}

/* Changes wait for the gate, reads do not; its holder changes the list all the same. */
static void gate_holds(void) {
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_child *child[2];
  make();
  CHECK(mpl_lock_try(&list->gate, 0, &w) == MPL_OK);
  for (int i = 0; i < 2; i++) child[i] = world_start(change_behind_gate, NULL);
  for (int i = 0; i < 2; i++) world_until_asleep(child[i]->ident, &list->gate.released);
  CHECK(mpl_list_count(list) == 0 && insert(list, 0, 1) == MPL_OK && mpl_list_count(list) == 1);
  mpl_lock_release(&list->gate);
  for (int i = 0; i < 2; i++) CHECK(world_join(child[i]) == 0);
  CHECK(mpl_list_count(list) == 3);
}

static void die_with_gate(void *arg) {
  struct mpl_wait w = MPL_WAIT_INIT;
  (void)arg;
  CHECK(mpl_lock_try(&list->gate, 0, &w) == MPL_OK);
  raise(SIGKILL);
}

static void gate_of_the_dead(void) {
  make();
  CHECK(world_join(world_start(die_with_gate, NULL)) == -SIGKILL);
  CHECK(insert(list, 0, 1) == MPL_OK);
}

static void await_change(void *arg) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  while ((s = mpl_list_await(list, *(uint64_t *)arg, &w)) == MPL_BLOCK)
    CHECK(world_step(&w, world_deadline()) == MPL_OK);
  mpl_wait_done(&w);
}

static void change_awaited(void) {
  make();
  uint64_t seen = mpl_list_writes(list);
  struct mpl_child *child = world_start(await_change, &seen);
  world_until_asleep(child->ident, &list->changed);
  CHECK(insert(list, 0, 1) == MPL_OK);
  CHECK(world_join(child) == 0);
}

/* Changes and reads the list without an end. */
static void work(void *arg) {
  uint64_t seed = *(uint64_t *)arg;
  for (;;) {
    uint64_t r = draw(&seed), n = mpl_list_count(list);
    uint32_t got;
    int64_t at = (int64_t)((r >> 8) % (n + 1));
    struct mpl_list_image image;
    switch (r % 8) {
      case 0: case 1: case 2:
        if (n < MOST) CHECK(insert(list, at, (uint32_t)(r >> 40)) == MPL_OK);
        break;
      case 3: case 4: case 5: take(at, &got); break;
      case 6: set(at, (uint32_t)(r >> 40)); break;
      default:
        if (mpl_list_get(list, at, &image) == MPL_OK) number_taken(&image);
    }
    if (r % 61 == 0) {
      struct mpl_list_snapshot copy;
      CHECK(mpl_list_snapshot(list, 1, -1, &copy) == MPL_OK);
      for (uint64_t i = 0; i < copy.count; i++) number_of(&copy.cell[i]);
      mpl_list_snapshot_free(&copy);
    }
  }
}

/* After each round, of which all processes are killed, nothing is torn or leaked. */
static void killed_at_any_moment(void) {
  make();
  mpl_reflist_release(id);
  struct world_sum before = world_sum();
  CHECK(mpl_list_new(&id) == MPL_OK);
  list = mpl_object_body(id, MPL_TYPE_LIST);
  for (uint64_t round = 0; round < 60; round++) {
    struct mpl_child *child[WORKERS];
    uint64_t seed, writes = mpl_list_writes(list);
    for (int i = 0; i < WORKERS; i++) {
      seed = round * WORKERS + (uint64_t)i;
      child[i] = world_start(work, &seed);
    }
    while (mpl_list_writes(list) - writes < 500 + round) sched_yield();
    for (int i = 0; i < WORKERS; i++) CHECK(mpl_child_signal(child[i], SIGKILL) == 0);
    for (int i = 0; i < WORKERS; i++) CHECK(world_join(child[i]) == -SIGKILL);
    mpl_recover_all();
    uint32_t got;
    CHECK(insert(list, 0, 5) == MPL_OK && take(0, &got) == MPL_OK && got == 5);
    WORLD_WHOLE();
  }
  drop(before);
}

/*
** The checker
*/

static void refuses(mpl_a64 *word, uint64_t value) {
  const char *fault;
  uint64_t right = mpl_load64_rlx(word);
  CHECK(mpl_shm_check(&fault));
  mpl_store64_rlx(word, value);
  CHECK(!mpl_shm_check(&fault));
  mpl_store64_rlx(word, right);
  CHECK(mpl_shm_check(&fault));
}

static void checker_sees(void) {
  make();
  for (uint32_t i = 1; i <= 5; i++) CHECK(insert(list, INT64_MAX, i) == MPL_OK);
  mpl_a64 *cell = mpl_arena_at(mpl_load64_rlx(&list->cells), 5 * sizeof(struct mpl_list_image));
  refuses(&list->messages, 0);
  refuses(&list->messages, 2);
  refuses(&list->count, 6);
  refuses(&list->count, 9);
  refuses(&list->capacity, 7);
  refuses(&list->capacity, 1 << 20);
  refuses(&list->head, 8);
  refuses(&list->cells, 0);
  refuses(&cell[0], 0);
  refuses(&cell[0], 16);
  refuses(&cell[4], mpl_load64_rlx(&cell[0])); /* the message of the third is nobody's */
}

int main(void) {
  unit_run("as the model", as_the_model);
  unit_run("places", places);
  unit_run("only the last", last_only);
  unit_run("parts", parts);
  unit_run("a snapshot outlives", snapshot_outlives);
  unit_run("memory given back", memory_given_back);
  unit_run("out of memory", out_of_memory);
  unit_run("the gate holds", gate_holds);
  unit_run("gate of the dead", gate_of_the_dead);
  unit_run("a change is awaited", change_awaited);
  unit_run("killed at any moment", killed_at_any_moment);
  unit_run("the checker sees", checker_sees);
  return unit_end("list_test");
}
