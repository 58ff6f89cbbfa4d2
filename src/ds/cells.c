/*
** Cells: see cells.h.
*/
#include "ds/cells.h"

#include <math.h>

#include "shm/heap.h"
#include "shm/reflist.h"
#include "shm/super.h"

/* Far beyond any arena, and far from an overflow of the size in bytes. */
#define MOST_ELEMENTS ((uint64_t)1 << 48)

/* The sizes are those of C on the systems mpl is for; `l` is `long`. */
static const struct mpl_cells_type types[] = {
    {'c', MPL_CELLS_CHAR, 1, 0, UINT8_MAX},         {'b', MPL_CELLS_I8, 1, INT8_MIN, INT8_MAX},
    {'B', MPL_CELLS_U8, 1, 0, UINT8_MAX},           {'h', MPL_CELLS_I16, 2, INT16_MIN, INT16_MAX},
    {'H', MPL_CELLS_U16, 2, 0, UINT16_MAX},         {'i', MPL_CELLS_I32, 4, INT32_MIN, INT32_MAX},
    {'I', MPL_CELLS_U32, 4, 0, UINT32_MAX},         {'l', MPL_CELLS_I64, 8, INT64_MIN, INT64_MAX},
    {'L', MPL_CELLS_U64, 8, 0, INT64_MAX},          {'q', MPL_CELLS_I64, 8, INT64_MIN, INT64_MAX},
    {'Q', MPL_CELLS_U64, 8, 0, INT64_MAX},          {'f', MPL_CELLS_F32, 4, 0, 0},
    {'d', MPL_CELLS_F64, 8, 0, 0}};

/* The type of a letter, NULL if there is none. */
const struct mpl_cells_type *mpl_cells_type_of(char letter) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].letter == letter) return &types[i];
  return NULL;
}

/*
** Making and dismantling
*/

/* Gives the lock's reference back. */
static void dismantle(void *body) {
  struct mpl_cells *cells = body;
  uint64_t id = mpl_load64_rlx(&cells->lock);
  struct mpl_robust *lock = &mpl_super()->objects.lock;
  if (id == 0 || mpl_robust_lock(lock) == MPL_DAMAGED) return;
  mpl_object_tx_unref(id);
  mpl_tx_store(&cells->lock, 0);
  mpl_tx_commit();
  mpl_robust_unlock(lock);
}

/* See struct mpl_object_ops. */
static bool walk(void *body, bool (*visit)(void *arg, mpl_off block),
                 bool (*ref)(void *arg, uint64_t id), void *arg) {
  (void)visit;
  const struct mpl_cells *cells = body;
  const struct mpl_cells_type *type = mpl_cells_type_of(cells->type.letter);
  if (type == NULL || type->code != cells->type.code || type->size != cells->type.size)
    return false;
  uint64_t index = mpl_object_id_of(body) & UINT32_MAX;
  mpl_off block = mpl_load64_rlx(&mpl_object_entry(index)->body);
  mpl_off end = block + mpl_heap_size_of(block);
  if (cells->count > (end - mpl_arena_off(cells->data)) / type->size) return false;
  uint64_t id = mpl_load64_rlx(&cells->lock);
  return id == 0 || ref(arg, id);
}

static const struct mpl_object_ops value_ops = {
    .name = "Value", .dismantle = dismantle, .walk = walk};
static const struct mpl_object_ops array_ops = {
    .name = "Array", .dismantle = dismantle, .walk = walk};

void mpl_cells_register(void) {
  mpl_object_register(MPL_TYPE_VALUE, &value_ops);
  mpl_object_register(MPL_TYPE_ARRAY, &array_ops);
}

struct plan {
  const struct mpl_cells_type *type;
  uint64_t count;
  const uint64_t *bits;
};

static enum mpl_status init(void *body, const void *arg) {
  const struct plan *plan = arg;
  struct mpl_cells *cells = body;
  cells->count = plan->count;
  cells->type = *plan->type;
  if (plan->bits == NULL) return MPL_OK;
  for (uint64_t i = 0; i < plan->count; i++) mpl_cells_store(cells, i, plan->bits[i]);
  return MPL_OK;
}

/* The object refers to its lock from now on. Dying before leaves one that nobody refers to. */
static enum mpl_status attach(struct mpl_cells *cells, uint64_t id) {
  struct mpl_robust *lock = &mpl_super()->objects.lock;
  if (mpl_robust_lock(lock) == MPL_DAMAGED) return MPL_DAMAGED;
  mpl_object_tx_ref(id);
  mpl_tx_store(&cells->lock, id);
  mpl_tx_commit();
  mpl_robust_unlock(lock);
  return MPL_OK;
}

/*
** Makes a Value or an Array (`kind`), to which the caller then holds a reference. `bits` has what
** each element begins with (see mpl_cells_encode), NULL: zeros. `lock` is the id of an object to
** which the caller holds a reference, 0: none. MPL_NOMEM, MPL_NOPRIVATE, MPL_DAMAGED, and nothing
** has changed.
*/
enum mpl_status mpl_cells_new(enum mpl_object_type kind, const struct mpl_cells_type *type,
                              uint64_t count, const uint64_t *bits, uint64_t lock, uint64_t *id) {
  if (count > MOST_ELEMENTS) return MPL_NOMEM;
  struct plan plan = {.type = type, .count = count, .bits = bits};
  enum mpl_status s =
      mpl_object_new(kind, sizeof(struct mpl_cells) + count * type->size, init, &plan, id);
  if (s != MPL_OK || lock == 0) return s;
  s = attach(mpl_object_body(*id, kind), lock);
  if (s != MPL_OK) mpl_reflist_release(*id);
  return s;
}

/*
** Values and bits
*/

/* Whether an element of this type can have this value. */
bool mpl_cells_fits(const struct mpl_cells_type *type, union mpl_cell v) {
  switch (type->code) {
    case MPL_CELLS_F32: return isinf(v.d) || !isinf((float)v.d);
    case MPL_CELLS_F64: return true;
    default: return v.i >= type->min && v.i <= type->max;
  }
}

/* Whether these bytes are `count` elements of this type; false for integers that Lua has not. */
bool mpl_cells_bytes_fit(const struct mpl_cells_type *type, const void *bytes, uint64_t count) {
  if (type->code != MPL_CELLS_U64) return true;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t word;
    memcpy(&word, (const unsigned char *)bytes + i * sizeof word, sizeof word);
    if (word > INT64_MAX) return false;
  }
  return true;
}

#define READ_WORDS(BITS) \
  for (uint64_t i = 0; i < count; i++) { \
    uint##BITS##_t word = mpl_load##BITS##_acq((const mpl_a##BITS *)cells->data + at + i); \
    memcpy((unsigned char *)to + i * sizeof word, &word, sizeof word); \
  }

/* Copies elements out, in the machine's own form; each of them is whole. */
void mpl_cells_read(const struct mpl_cells *cells, uint64_t at, uint64_t count, void *to) {
  switch (cells->type.size) {
    case 1: READ_WORDS(8) break;
    case 2: READ_WORDS(16) break;
    case 4: READ_WORDS(32) break;
    default: READ_WORDS(64) break;
  }
}

#define WRITE_WORDS(BITS) \
  for (uint64_t i = 0; i < count; i++) { \
    uint##BITS##_t word; \
    memcpy(&word, (const unsigned char *)from + i * sizeof word, sizeof word); \
    MPL_POINT(); \
    mpl_store##BITS##_rel((mpl_a##BITS *)cells->data + at + i, word); \
  }

/* The reverse; the bytes fit (see mpl_cells_bytes_fit). Elements are written one after the other: a
   death in the middle leaves the first of them written. */
void mpl_cells_write(struct mpl_cells *cells, uint64_t at, uint64_t count, const void *from) {
  switch (cells->type.size) {
    case 1: WRITE_WORDS(8) break;
    case 2: WRITE_WORDS(16) break;
    case 4: WRITE_WORDS(32) break;
    default: WRITE_WORDS(64) break;
  }
}

/*
** Changes that are atomic among themselves, and against single writes
*/

#define SWAP_WORD(BITS) { \
    uint##BITS##_t expected = (uint##BITS##_t)*found; \
    mpl_a##BITS *word = (mpl_a##BITS *)cells->data + at; \
    bool done = mpl_cas##BITS##_ar(word, &expected, (uint##BITS##_t)bits); \
    *found = expected; \
    return done; \
  }

/* Stores `bits` if the element is *found, else says in *found what it is. */
static bool swap(struct mpl_cells *cells, uint64_t at, uint64_t *found, uint64_t bits) {
  MPL_POINT();
  switch (cells->type.size) {
    case 1: SWAP_WORD(8)
    case 2: SWAP_WORD(16)
    case 4: SWAP_WORD(32)
    default: SWAP_WORD(64)
  }
}

/* a + n; false if no element of this type can have it. */
static bool plus(const struct mpl_cells_type *type, union mpl_cell a, union mpl_cell n,
                 union mpl_cell *sum) {
  if (!mpl_cells_is_real(type))
    return !__builtin_add_overflow(a.i, n.i, &sum->i) && mpl_cells_fits(type, *sum);
  sum->d = a.d + n.d;
  return mpl_cells_fits(type, *sum);
}

/* Adds n, which is an integer or a number as the type is, and says the sum as the element has it.
   False, and nothing has changed, if that does not fit; *sum is then what the element was. Not for
   bytes. */
bool mpl_cells_add(struct mpl_cells *cells, uint64_t at, union mpl_cell n, union mpl_cell *sum) {
  const struct mpl_cells_type *type = &cells->type;
  uint64_t found = mpl_cells_load(cells, at), bits;
  do {
    union mpl_cell old = mpl_cells_decode(type, found);
    if (!plus(type, old, n, sum)) {
      *sum = old;
      return false;
    }
    bits = mpl_cells_encode(type, *sum);
  } while (!swap(cells, at, &found, bits));
  *sum = mpl_cells_decode(type, bits);
  return true;
}

/* Sets the element to v, which fits, and returns what it was. */
union mpl_cell mpl_cells_exchange(struct mpl_cells *cells, uint64_t at, union mpl_cell v) {
  uint64_t found = mpl_cells_load(cells, at), bits = mpl_cells_encode(&cells->type, v);
  while (!swap(cells, at, &found, bits)) {}
  return mpl_cells_decode(&cells->type, found);
}

/* Sets the element to v if it equals `old`, as an element of this type has it and as numbers are
   equal: 0.0 and -0.0 are, NaN equals nothing. Both values fit. */
bool mpl_cells_compare_and_set(struct mpl_cells *cells, uint64_t at, union mpl_cell old,
                               union mpl_cell v) {
  const struct mpl_cells_type *type = &cells->type;
  uint64_t found = mpl_cells_load(cells, at), bits = mpl_cells_encode(type, v);
  old = mpl_cells_decode(type, mpl_cells_encode(type, old));
  do {
    union mpl_cell is = mpl_cells_decode(type, found);
    if (mpl_cells_is_real(type) ? is.d != old.d : is.i != old.i) return false;
  } while (!swap(cells, at, &found, bits));
  return true;
}
