/*
** The crash sweep of the heap, the object table, references and messages: see crash.h.
*/
#include "crash.h"

static struct {
  uint64_t lock;
  mpl_off block;
} s;

/*
** The heap
*/

static void alloc_small(void) {
  CHECK(mpl_heap_alloc(100, &s.block) == MPL_OK);
}

static void alloc_large(void) {
  CHECK(mpl_heap_alloc(300 << 10, &s.block) == MPL_OK);
}

static void alloc_growing(void) {
  CHECK(mpl_heap_alloc(3 << 20, &s.block) == MPL_OK);
}

static void free_block(void) {
  mpl_heap_free(mpl_self, s.block);
}

/* A used block between two free ones. */
static void prepare_hole(void) {
  mpl_off left, right, end;
  CHECK(mpl_heap_alloc(1000, &left) == MPL_OK && mpl_heap_alloc(1000, &s.block) == MPL_OK);
  CHECK(mpl_heap_alloc(1000, &right) == MPL_OK && mpl_heap_alloc(1000, &end) == MPL_OK);
  mpl_heap_free(mpl_self, left);
  mpl_heap_free(mpl_self, right);
}

/* Nothing that is free keeps its memory. */
static void setup_keeping_none(void) {
  mpl_super()->heap.keep = 0;
}

/* A free block that has given its memory back; what is allocated out of it leaves a large rest. */
static void setup_given_back(void) {
  mpl_off large, end;
  setup_keeping_none();
  CHECK(mpl_heap_alloc(900 << 10, &large) == MPL_OK && mpl_heap_alloc(100, &end) == MPL_OK);
  mpl_heap_free(mpl_self, large);
  s.block = end;
}

static void verify_given_back(bool finished) {
  (void)finished;
  mpl_off again;
  CHECK(mpl_heap_alloc(800 << 10, &again) == MPL_OK);
  memset(mpl_arena_at(again, 800 << 10), 1, 800 << 10);
  mpl_heap_free(mpl_self, again);
  mpl_heap_free(mpl_self, s.block);
}

/*
** Objects and references
*/

static void new_lock(void) {
  CHECK(mpl_lock_new(&s.lock) == MPL_OK);
}

static void release_lock(void) {
  mpl_reflist_release(s.lock);
}

/* A message keeps as many objects alive as fill a list of references. */
static void setup_letter(void) {
  s.block = world_letter(28);
}

static void prepare_list_full(void) {
  for (int i = 0; i < 28; i++)
    CHECK(mpl_object_retain(mpl_load64_rlx(&mpl_message_at(s.block)->ref[i])) == MPL_OK);
}

static void verify_letter(bool finished) {
  (void)finished;
  mpl_message_drop(mpl_self, s.block);
}

/* The next object needs another chunk of the table. */
static void setup_table_full(void) {
  uint64_t id;
  while (mpl_load64_rlx(&mpl_super()->objects.count) < MPL_OBJECT_CHUNK0)
    CHECK(mpl_lock_new(&id) == MPL_OK);
}

static void verify_table(bool finished) {
  (void)finished;
  uint64_t id, n = mpl_load64_rlx(&mpl_super()->objects.count);
  CHECK(mpl_lock_new(&id) == MPL_OK);
  CHECK(mpl_load64_rlx(&mpl_super()->objects.count) >= n);
  mpl_reflist_release(id);
  for (uint64_t i = 2; i < MPL_OBJECT_CHUNK0; i++)
    mpl_reflist_release(mpl_load64_rlx(&mpl_object_entry(i)->id));
}

static void new_queue(void) {
  CHECK(mpl_queue_new(0, &s.lock) == MPL_OK);
}

/* A queue with both kinds of items. */
static void prepare_full_queue(void) {
  new_queue();
  struct mpl_queue *q = world_queue(s.lock);
  CHECK(world_put_number(q, 1) == MPL_OK);
  CHECK(world_put_message(q, world_letter(1)) == MPL_OK);
}

/*
** Messages
*/

static void prepare_letter(void) {
  s.block = world_letter(1);
}

static void retain(void) {
  CHECK(mpl_object_retain(mpl_load64_rlx(&mpl_message_at(s.block)->ref[0])) == MPL_OK);
}

static void drop_message(void) {
  mpl_message_drop(mpl_self, s.block);
  mpl_object_bury();
}

static const struct crash_op ops[] = {
    {.name = "alloc", .operate = alloc_small},
    {.name = "alloc, large", .operate = alloc_large},
    {.name = "alloc, the arena grows", .operate = alloc_growing},
    {.name = "alloc of what was given back", .setup = setup_given_back, .operate = alloc_large,
     .verify = verify_given_back, .alone = true},
    {.name = "free", .prepare = prepare_hole, .operate = free_block},
    {.name = "free, memory is given back", .setup = setup_keeping_none, .prepare = alloc_large,
     .operate = free_block, .alone = true},
    {.name = "new object", .operate = new_lock},
    {.name = "first object", .operate = new_lock, .cold = true, .grows = true, .alone = true},
    {.name = "new object, list full", .setup = setup_letter, .prepare = prepare_list_full,
     .operate = new_lock, .verify = verify_letter},
    {.name = "new object, table full", .setup = setup_table_full, .operate = new_lock,
     .verify = verify_table, .grows = true, .alone = true},
    {.name = "new queue", .operate = new_queue},
    {.name = "retain", .prepare = prepare_letter, .operate = retain},
    {.name = "release", .prepare = new_lock, .operate = release_lock},
    {.name = "release of a full queue", .prepare = prepare_full_queue, .operate = release_lock},
    {.name = "message with references", .operate = prepare_letter},
    {.name = "drop a message", .prepare = prepare_letter, .operate = drop_message},
};

int main(int argc, char **argv) {
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
