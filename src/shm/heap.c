/*
** The heap: see heap.h for the algorithm and what holds between sections.
**
** A block is a header, then its content. Offsets named `b` are those of headers; what callers see
** is the offset of the content. Every store to a header, a list or the root goes through the
** journal.
**
** Memory of large free blocks. A block of at least LARGE bytes that is free says how many of its
** bytes still have memory ("resident"); the root adds these up. When they exceed a 32nd of the cap,
** but within KEEP_LEAST and KEEP_MOST, the block just freed gives its memory back. A block that is
** not wholly resident is populated again before any of it is used, and if that fails the allocation
** fails.
*/
#include "shm/heap.h"

#include "base/fault.h"
#include "base/os.h"
#include "shm/slot.h"
#include "shm/super.h"

#define HEADER sizeof(struct block)
#define SMALLEST (HEADER + 16)
#define FREE_BIT ((uint64_t)1)

#define LARGE ((uint64_t)256 << 10)
#define KEEP_LEAST ((uint64_t)64 << 20)
#define KEEP_MOST ((uint64_t)256 << 20)
#define PAGE ((uint64_t)4096)

#define LOOKS 4

#define GROW_MIN ((uint64_t)2 << 20)
#define GROW_MAX ((uint64_t)64 << 20)

struct block {
  mpl_a64 prev_size; /* size of the block before it, 0 for the first */
  mpl_a64 size;      /* header included, a multiple of 16; bit 0: free */
};

/* What a free block has in place of content; `resident` only if it is large. */
struct free_block {
  struct block head;
  mpl_a64 next, prev; /* in its class's list */
  mpl_a64 resident;
};

static struct mpl_heap_root *root(void) {
  return &mpl_super()->heap;
}

static struct free_block *at(mpl_off b) {
  return (struct free_block *)mpl_arena_at(b, HEADER);
}

static uint64_t size_of(mpl_off b) {
  return mpl_load64_rlx(&at(b)->head.size) & ~FREE_BIT;
}

static bool is_free(mpl_off b) {
  return (mpl_load64_rlx(&at(b)->head.size) & FREE_BIT) != 0;
}

static uint64_t round_up(uint64_t n, uint64_t to) {
  return (n + to - 1) & ~(to - 1);
}

/*
** Size classes
*/

static int class_of(uint64_t size) {
  int log = 63 - __builtin_clzll(size);
  int step = (int)(size >> (log - 3)) & (MPL_HEAP_STEPS - 1);
  return (log - 5) * MPL_HEAP_STEPS + step;
}

/* The lowest class whose blocks all have at least `size` bytes. */
static int class_for(uint64_t size) {
  int log = 63 - __builtin_clzll(size);
  return class_of(size + ((uint64_t)1 << (log - 3)) - 1);
}

/* First non-empty class from c upwards; -1: none. */
static int next_class(int c) {
  struct mpl_heap_root *heap = root();
  for (int w = c / 64; w < MPL_HEAP_MAP_WORDS; w++) {
    uint64_t bits = mpl_load64_rlx(&heap->map[w]);
    if (w == c / 64) bits &= ~(uint64_t)0 << (c % 64);
    if (bits != 0) return w * 64 + __builtin_ctzll(bits);
  }
  return -1;
}

/*
** Free lists; all within a section.
*/

static uint64_t resident_of(mpl_off b) {
  uint64_t size = size_of(b);
  return size < LARGE ? size : mpl_load64_rlx(&at(b)->resident);
}

static void list_remove(mpl_off b) {
  struct mpl_heap_root *heap = root();
  int c = class_of(size_of(b));
  mpl_off next = mpl_load64_rlx(&at(b)->next), prev = mpl_load64_rlx(&at(b)->prev);
  if (next != 0) mpl_tx_store(&at(next)->prev, prev);
  if (prev != 0) {
    mpl_tx_store(&at(prev)->next, next);
  } else {
    mpl_tx_store(&heap->list[c], next);
    if (next == 0)
      mpl_tx_store(&heap->map[c / 64],
                   mpl_load64_rlx(&heap->map[c / 64]) & ~((uint64_t)1 << (c % 64)));
  }
  if (size_of(b) >= LARGE)
    mpl_tx_store(&heap->resident_free,
                 mpl_load64_rlx(&heap->resident_free) - mpl_load64_rlx(&at(b)->resident));
}

/* Makes the `size` bytes at b a free block of its class; its neighbours are in use. */
static void list_add(mpl_off b, uint64_t size, uint64_t prev_size, uint64_t resident) {
  struct mpl_heap_root *heap = root();
  int c = class_of(size);
  mpl_off head = mpl_load64_rlx(&heap->list[c]);
  mpl_tx_store(&at(b)->head.prev_size, prev_size);
  mpl_tx_store(&at(b)->head.size, size | FREE_BIT);
  mpl_tx_store(&at(b)->next, head);
  mpl_tx_store(&at(b)->prev, 0);
  mpl_tx_store(&at(b + size)->head.prev_size, size);
  if (head != 0)
    mpl_tx_store(&at(head)->prev, b);
  else
    mpl_tx_store(&heap->map[c / 64],
                 mpl_load64_rlx(&heap->map[c / 64]) | (uint64_t)1 << (c % 64));
  mpl_tx_store(&heap->list[c], b);
  if (size >= LARGE) {
    mpl_tx_store(&at(b)->resident, resident);
    mpl_tx_store(&heap->resident_free, mpl_load64_rlx(&heap->resident_free) + resident);
  }
}

/*
** Growth
*/

/* Adds memory at the end so that a block of `size` bytes fits. MPL_NOMEM: the cap, or the
   system. */
static enum mpl_status grow(uint64_t size) {
  struct mpl_heap_root *heap = root();
  uint64_t populated = mpl_load64_rlx(&heap->populated);
  uint64_t need = round_up(size + size / MPL_HEAP_STEPS + HEADER, PAGE);
  uint64_t step = round_up(populated / 4, GROW_MIN);
  if (step > GROW_MAX) step = GROW_MAX;
  if (step < need) step = need;
  if (populated + step > heap->cap) step = need;
  if (need > heap->cap || populated > heap->cap - step) return MPL_NOMEM;
  if (mpl_arena_populate(populated, step) != MPL_OK) return MPL_NOMEM;

  mpl_off b = mpl_load64_rlx(&heap->end); /* the old end mark becomes the new block's header */
  uint64_t before = mpl_load64_rlx(&at(b)->head.prev_size), total = step;
  mpl_tx_store(&heap->populated, populated + step);
  mpl_tx_store(&at(b + step)->head.size, HEADER);
  mpl_tx_store(&heap->end, b + step);
  uint64_t resident = step;
  if (before != 0 && is_free(b - before)) {
    mpl_off joined = b - before;
    resident += resident_of(joined);
    list_remove(joined);
    total += before;
    before = mpl_load64_rlx(&at(joined)->head.prev_size);
    b = joined;
  }
  list_add(b, total, before, resident);
  mpl_tx_commit();
  return MPL_OK;
}

/*
** Allocation
*/

/* Makes sure that the first `size` bytes of the free block b have memory, and as much of the rest
   as is written when it becomes a block of its own; *resident is then what the rest has at
   least. */
static enum mpl_status repopulate(mpl_off b, uint64_t size, uint64_t *resident) {
  uint64_t total = size_of(b), rest = total - size, has = resident_of(b);
  if (has == total) {
    *resident = rest;
    return MPL_OK;
  }
  uint64_t upto = rest < LARGE ? total : round_up(size + sizeof(struct free_block), PAGE);
  if (upto > total) upto = total;
  *resident = has > size ? has - size : 0;
  return mpl_arena_populate(b & ~(PAGE - 1), round_up(upto + (b & (PAGE - 1)), PAGE));
}

/* A free block of at least `size` bytes, 0: there is none. A block of the very class is looked at
   first, and only a few of them: it may have been freed a moment ago and be hot. */
static mpl_off find(uint64_t size) {
  mpl_off b = mpl_load64_rlx(&root()->list[class_of(size)]);
  for (int i = 0; i < LOOKS && b != 0; i++, b = mpl_load64_rlx(&at(b)->next))
    if (size_of(b) >= size) return b;
  int c = next_class(class_for(size));
  return c < 0 ? 0 : mpl_load64_rlx(&root()->list[c]);
}

/* Takes a block of `size` bytes, header included, out of the lists. */
static enum mpl_status carve(uint64_t size, mpl_off *out) {
  mpl_off b = find(size);
  if (b == 0) {
    enum mpl_status s = grow(size);
    if (s != MPL_OK) return s;
    b = find(size);
    MPL_ASSERT(b != 0);
  }
  uint64_t total = size_of(b), resident;
  if (repopulate(b, size, &resident) != MPL_OK) return MPL_NOMEM;
  list_remove(b);
  if (total - size >= SMALLEST)
    list_add(b + size, total - size, size, resident);
  else
    size = total;
  mpl_tx_store(&at(b)->head.size, size);
  mpl_tx_store(&root()->used, mpl_load64_rlx(&root()->used) + size);
  *out = b;
  return MPL_OK;
}

/* Takes a block of at least `size` bytes, content undefined, into the caller's hand. MPL_OK, or
   MPL_NOMEM and nothing has changed. */
enum mpl_status mpl_heap_alloc(uint64_t size, mpl_off *out) {
  struct mpl_heap_root *heap = root();
  if (size > heap->cap || MPL_FAULT()) return MPL_NOMEM;
  uint64_t total = round_up(size + HEADER, MPL_HEAP_ALIGN);
  if (total < SMALLEST) total = SMALLEST;
  mpl_off b = 0;
  if (mpl_robust_lock(&heap->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  enum mpl_status s = carve(total, &b);
  if (s == MPL_OK) {
    *out = b + HEADER;
    mpl_hand_put(mpl_self, *out, MPL_HAND_BLOCK);
    mpl_tx_commit();
  }
  mpl_robust_unlock(&heap->lock);
  return s;
}

/* Bytes of large free blocks that may keep their memory, to be used again while they are hot. */
static uint64_t keep_of(uint64_t cap) {
  uint64_t n = cap / 32;
  return n < KEEP_LEAST ? KEEP_LEAST : n > KEEP_MOST ? KEEP_MOST : n;
}

/* Gives the memory of a large free block back. The section is still open; dying after its commit
   leaves memory that is not counted, no more. */
static void give_back(mpl_off b) {
  struct mpl_heap_root *heap = root();
  uint64_t size = size_of(b);
  mpl_tx_store(&heap->resident_free, mpl_load64_rlx(&heap->resident_free) - resident_of(b));
  mpl_tx_store(&at(b)->resident, 0);
  mpl_tx_commit();
  uint64_t from = round_up(b + sizeof(struct free_block), PAGE), to = (b + size) & ~(PAGE - 1);
  if (from < to) mpl_os_punch(mpl_arena_at(from, to - from), to - from);
}

/* Ends the section that made b free: if too much lies idle, its memory goes. */
static void end_free(mpl_off b) {
  struct mpl_heap_root *heap = root();
  if (size_of(b) >= LARGE && resident_of(b) >= LARGE &&
      mpl_load64_rlx(&heap->resident_free) > heap->keep)
    give_back(b);
  else
    mpl_tx_commit();
}

/* Frees a block out of the hand of `holder`: the caller, or a dead process it cleans up after. */
void mpl_heap_free(struct mpl_slot *holder, mpl_off content) {
  struct mpl_heap_root *heap = root();
  mpl_off b = content - HEADER;
  if (mpl_robust_lock(&heap->lock) == MPL_DAMAGED) return;
  MPL_ASSERT(!is_free(b));
  mpl_hand_take(holder, content);
  uint64_t size = size_of(b), resident = size;
  uint64_t before = mpl_load64_rlx(&at(b)->head.prev_size);
  mpl_tx_store(&heap->used, mpl_load64_rlx(&heap->used) - size);
  mpl_off after = b + size;
  if (is_free(after)) {
    resident += resident_of(after);
    list_remove(after);
    size += size_of(after);
  }
  if (before != 0 && is_free(b - before)) {
    b -= before;
    resident += resident_of(b);
    list_remove(b);
    size += before;
    before = mpl_load64_rlx(&at(b)->head.prev_size);
  }
  list_add(b, size, before, resident);
  end_free(b);
  mpl_robust_unlock(&heap->lock);
}

/* Gives the memory of all large free blocks back: for who has freed so much that it will hardly be
   used again soon. */
void mpl_heap_trim(void) {
  struct mpl_heap_root *heap = root();
  if (mpl_robust_lock(&heap->lock) == MPL_DAMAGED) return;
  for (int c = next_class(class_of(LARGE)); c >= 0 && c < MPL_HEAP_CLASSES; c = next_class(c + 1))
    for (mpl_off b = mpl_load64_rlx(&heap->list[c]); b != 0; b = mpl_load64_rlx(&at(b)->next))
      if (resident_of(b) >= LARGE) give_back(b);
  mpl_robust_unlock(&heap->lock);
}

/* Bytes that a used block can hold: at least what was asked for. */
uint64_t mpl_heap_size_of(mpl_off content) {
  return size_of(content - HEADER) - HEADER;
}

/* A consistent look at how much is used; bytes. */
void mpl_heap_info(struct mpl_heap_info *info) {
  struct mpl_heap_root *heap = root();
  if (mpl_robust_lock(&heap->lock) == MPL_DAMAGED) {
    *info = (struct mpl_heap_info){0, 0, 0};
    return;
  }
  info->used = mpl_load64_rlx(&heap->used);
  info->populated = mpl_load64_rlx(&heap->populated);
  info->cap = heap->cap;
  mpl_robust_unlock(&heap->lock);
}

/* Makes the heap of an arena of which the bytes from `first` to `end` are populated and unused.
   Only before anybody else can see the arena. */
enum mpl_status mpl_heap_create(struct mpl_heap_root *heap, uint64_t first, uint64_t end,
                                uint64_t cap) {
  first = round_up(first, MPL_HEAP_ALIGN);
  enum mpl_status s = mpl_robust_init(&heap->lock, MPL_RANK_HEAP);
  if (s != MPL_OK) return s;
  heap->cap = cap < end ? end : cap;
  heap->keep = keep_of(heap->cap);
  heap->first = first;
  mpl_store64_rlx(&heap->end, end - HEADER);
  mpl_store64_rlx(&at(end - HEADER)->head.size, HEADER);
  list_add(first, end - HEADER - first, 0, end - HEADER - first);
  mpl_tx_commit();
  return MPL_OK;
}

/*
** The checker: see mpl_shm_check.
*/

static bool fault_is(const char **fault, const char *text) {
  *fault = text;
  return false;
}

/* The lists hold exactly the free blocks: counts them and looks at their links. */
static bool check_lists(uint64_t blocks_free, const char **fault) {
  struct mpl_heap_root *heap = root();
  uint64_t seen = 0;
  for (int c = 0; c < MPL_HEAP_CLASSES; c++) {
    mpl_off prev = 0, b = mpl_load64_rlx(&heap->list[c]);
    bool bit = (mpl_load64_rlx(&heap->map[c / 64]) >> (c % 64)) & 1;
    if (bit != (b != 0)) return fault_is(fault, "heap: a class's bit contradicts its list");
    for (; b != 0; prev = b, b = mpl_load64_rlx(&at(b)->next)) {
      if (!is_free(b)) return fault_is(fault, "heap: a used block stands in a free list");
      if (class_of(size_of(b)) != c) return fault_is(fault, "heap: a block stands in a wrong list");
      if (mpl_load64_rlx(&at(b)->prev) != prev) return fault_is(fault, "heap: a list is torn");
      if (++seen > blocks_free) return fault_is(fault, "heap: a list runs in a circle");
    }
  }
  return seen == blocks_free || fault_is(fault, "heap: a free block stands in no list");
}

/* Walks all blocks, calling visit for each used one; false with a fault if something is wrong or
   visit says false. The caller sees to it that nobody else is at work. */
bool mpl_heap_check(bool (*visit)(void *arg, mpl_off block), void *arg, const char **fault) {
  struct mpl_heap_root *heap = root();
  mpl_off b = heap->first, end = mpl_load64_rlx(&heap->end);
  uint64_t prev_size = 0, used = 0, blocks_free = 0, resident = 0;
  bool prev_free = false;
  for (; b < end; b += prev_size) {
    uint64_t size = size_of(b);
    if (size < SMALLEST || size % MPL_HEAP_ALIGN != 0 || size > end - b)
      return fault_is(fault, "heap: a block has an impossible size");
    if (mpl_load64_rlx(&at(b)->head.prev_size) != prev_size)
      return fault_is(fault, "heap: a block does not know its predecessor's size");
    if (is_free(b) && prev_free) return fault_is(fault, "heap: two free blocks are neighbours");
    prev_free = is_free(b);
    prev_size = size;
    if (prev_free) {
      blocks_free++;
      if (size >= LARGE) resident += resident_of(b);
    } else {
      used += size;
      if (!visit(arg, b + HEADER)) return fault_is(fault, "no memory for the check");
    }
  }
  if (b != end || mpl_load64_rlx(&at(b)->head.prev_size) != prev_size)
    return fault_is(fault, "heap: the blocks do not end at the end mark");
  if (used != mpl_load64_rlx(&heap->used)) return fault_is(fault, "heap: the sum of used bytes");
  if (resident != mpl_load64_rlx(&heap->resident_free))
    return fault_is(fault, "heap: the sum of resident free bytes");
  return check_lists(blocks_free, fault);
}
