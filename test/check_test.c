/*
** The checker of the arena finds every fault that it has a text for: a process of its own spoils
** one word of a sound arena and expects the fault. (What cannot be reached by spoiling: a list that
** runs in a circle is torn at the place where it closes.)
*/
#include "world.h"

/* The scene: a lock, a queue with numbers and a message that refers to the lock, blocks in hand,
   and free blocks. */
static uint64_t lock_id, queue_id;
static struct mpl_queue *queue;
static mpl_off hole, used; /* a free block before a used one */
static mpl_off letter;

static void make_scene(void) {
  mpl_off before, large;
  world_make();
  CHECK(mpl_lock_new(&lock_id) == MPL_OK && mpl_queue_new(0, &queue_id) == MPL_OK);
  queue = world_queue(queue_id);
  for (uint64_t i = 0; i < 100; i++) CHECK(world_put_number(queue, i) == MPL_OK);
  CHECK(mpl_message_new(100, 1, &letter) == MPL_OK);
  mpl_message_add_ref(letter, lock_id);
  CHECK(world_put_message(queue, letter) == MPL_OK);
  CHECK(mpl_heap_alloc(100, &before) == MPL_OK && mpl_heap_alloc(1000, &hole) == MPL_OK);
  CHECK(mpl_heap_alloc(1000, &used) == MPL_OK && mpl_heap_alloc(1 << 20, &large) == MPL_OK);
  CHECK(before < hole && hole < used);
  mpl_heap_free(mpl_self, large);
  mpl_heap_free(mpl_self, hole);
}

static void set(mpl_a64 *word, uint64_t value) {
  mpl_store64_rlx(word, value);
}

static void add(mpl_a64 *word, uint64_t n) {
  set(word, mpl_load64_rlx(word) + n);
}

/*
** The heap. A block's header is two words in front of its content, the size of the block before it
** and its own with bit 0 for free; a free one goes on with the links of its list.
*/

static mpl_a64 *prev_size(mpl_off block) {
  return MPL_AT(mpl_a64, block - 16);
}

static mpl_a64 *size(mpl_off block) {
  return MPL_AT(mpl_a64, block - 8);
}

static mpl_a64 *prev_link(mpl_off block) {
  return MPL_AT(mpl_a64, block + 8);
}

static struct mpl_heap_root *heap(void) {
  return &mpl_super()->heap;
}

/* The class in whose list the hole stands first. */
static int class_of_hole(void) {
  for (int c = 0; c < MPL_HEAP_CLASSES; c++)
    if (mpl_load64_rlx(&heap()->list[c]) == hole - 16) return c;
  FAIL("the hole is first in no list");
}

static void flip_bit(int c) {
  set(&heap()->map[c / 64], mpl_load64_rlx(&heap()->map[c / 64]) ^ (uint64_t)1 << (c % 64));
}

static void class_bit(void) {
  flip_bit(class_of_hole());
}

static void used_in_list(void) {
  set(&heap()->list[class_of_hole()], used - 16);
}

static void wrong_list(void) {
  int c = class_of_hole();
  set(&heap()->list[c], 0);
  set(&heap()->list[c + 1], hole - 16);
  flip_bit(c);
  CHECK((mpl_load64_rlx(&heap()->map[(c + 1) / 64]) >> ((c + 1) % 64) & 1) == 0);
  flip_bit(c + 1);
}

static void torn_list(void) {
  set(prev_link(hole), used - 16);
}

static void unlisted(void) {
  int c = class_of_hole();
  set(&heap()->list[c], 0);
  flip_bit(c);
}

static void tiny_block(void) {
  set(size(used), 16);
}

static void odd_block(void) {
  add(size(used), 8);
}

static void endless_block(void) {
  set(size(used), (uint64_t)1 << 40);
}

static void wrong_prev_size(void) {
  add(prev_size(used), 16);
}

static void free_neighbours(void) {
  add(size(used), 1);
}

static void end_mark(void) {
  add(prev_size(mpl_load64_rlx(&heap()->end) + 16), 16);
}

static void used_sum(void) {
  add(&heap()->used, 16);
}

static void resident_sum(void) {
  add(&heap()->resident_free, 16);
}

/*
** Owners
*/

static void magic(void) {
  mpl_super()->magic++;
}

static void stamp(void) {
  mpl_super()->stamp++;
}

static void leak(void) {
  add(&mpl_self->hand_count, UINT64_MAX);
}

static void free_block_owned(void) {
  set(&mpl_super()->slots.chunk[1], hole);
}

static void chunk_twice(void) {
  set(&mpl_super()->objects.chunk[1], mpl_load64_rlx(&mpl_super()->objects.chunk[0]));
}

static void twice_in_hand(void) {
  uint64_t n = mpl_load64_rlx(&mpl_self->hand_count);
  set(&mpl_self->hand[n], used | MPL_HAND_BLOCK);
  add(&mpl_self->hand_count, 1);
}

static void body_twice(void) {
  set(&mpl_object_entry(lock_id & UINT32_MAX)->body,
      mpl_load64_rlx(&mpl_object_entry(queue_id & UINT32_MAX)->body));
}

static void no_type(void) {
  set(&mpl_object_entry(lock_id & UINT32_MAX)->type, MPL_TYPE_COUNT);
}

static void open_section(void) {
  mpl_tx_store(&heap()->used, mpl_load64_rlx(&heap()->used));
}

static void free_slot_in_use(void) {
  set(&mpl_slot_at(5)->hand_count, 1);
}

/*
** References
*/

static void ref_too_many(void) {
  add(&mpl_object_entry(lock_id & UINT32_MAX)->refs, 1);
}

static void ref_too_few(void) {
  add(&mpl_object_entry(lock_id & UINT32_MAX)->refs, UINT64_MAX);
}

static void ref_of_nothing(void) {
  add(&mpl_message_at(letter)->ref[0], (uint64_t)1 << 32);
}

static void ref_forgotten(void) {
  set(&mpl_message_at(letter)->nrefs, 0);
}

/*
** Queues
*/

static void one_put_more(void) {
  add(&queue->put, 1);
}

static void one_got_more(void) {
  add(&queue->got, 1);
}

static void wrong_tail(void) {
  add(&queue->tail_at, 8);
}

static void wrong_front(void) {
  set(&queue->front_count, 1);
}

/*
** Tables
*/

static void live_slots(void) {
  add(&mpl_super()->slots.live, 1);
}

static void lost_slot(void) {
  struct mpl_slot *first = mpl_slot_at(mpl_load64_rlx(&mpl_super()->slots.free) - 1);
  set(&mpl_super()->slots.free, mpl_load64_rlx(&first->next_free));
}

static void slot_circle(void) {
  uint64_t first = mpl_load64_rlx(&mpl_super()->slots.free);
  set(&mpl_slot_at(first - 1)->next_free, first);
}

static void used_slot_listed(void) {
  set(&mpl_super()->slots.free, 1); /* our own */
}

static void live_objects(void) {
  add(&mpl_super()->objects.live, 1);
}

static void used_object_listed(void) {
  set(&mpl_super()->objects.free, lock_id & UINT32_MAX);
}

static void unburied(void) {
  set(&mpl_super()->objects.grave, lock_id & UINT32_MAX);
}

static const struct {
  const char *fault;
  void (*spoil)(void);
} cases[] = {
    {"heap: a class's bit contradicts its list", class_bit},
    {"heap: a used block stands in a free list", used_in_list},
    {"heap: a block stands in a wrong list", wrong_list},
    {"heap: a list is torn", torn_list},
    {"heap: a free block stands in no list", unlisted},
    {"heap: a block has an impossible size", tiny_block},
    {"heap: a block has an impossible size", odd_block},
    {"heap: a block has an impossible size", endless_block},
    {"heap: a block does not know its predecessor's size", wrong_prev_size},
    {"heap: two free blocks are neighbours", free_neighbours},
    {"heap: the blocks do not end at the end mark", end_mark},
    {"heap: the sum of used bytes", used_sum},
    {"heap: the sum of resident free bytes", resident_sum},
    {"the superblock", magic},
    {"the superblock", stamp},
    {"a used block has no owner: leaked", leak},
    {"something owns a block that is not in use", free_block_owned},
    {"a block has two owners", chunk_twice},
    {"a block in hand has another owner", twice_in_hand},
    {"an object's body has another owner", body_twice},
    {"an object of no type", no_type},
    {"a section is open", open_section},
    {"a free slot holds something", free_slot_in_use},
    {"a count of references", ref_too_many},
    {"a count of references", ref_too_few},
    {"a count of references", ref_forgotten},
    {"a reference to an object that is no more", ref_of_nothing},
    {"an object is not whole", one_put_more},
    {"an object is not whole", one_got_more},
    {"an object is not whole", wrong_tail},
    {"an object is not whole", wrong_front},
    {"the table of slots", live_slots},
    {"the table of slots", lost_slot},
    {"the table of slots", slot_circle},
    {"the table of slots", used_slot_listed},
    {"the table of objects", live_objects},
    {"the table of objects", used_object_listed},
    {"the table of objects", unburied},
};

static size_t current;

static void expect_fault(void) {
  make_scene();
  world_expect_fault(cases[current].spoil, cases[current].fault);
}

int main(int argc, char **argv) {
  (void)argc;
  for (current = 0; current < sizeof cases / sizeof *cases; current++)
    unit_run(cases[current].fault, expect_fault);
  return unit_end(argv[0]);
}
