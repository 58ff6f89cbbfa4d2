/*
** Cells: what Value and Array are made of, elements of one C type side by side in shared memory.
**
** Type, number of elements and lock of an object do not change. An element is read and changed by
** atomic operations of its size, so that whole values are all that anybody ever sees, whoever dies
** when. Reads acquire and writes release: who sees an element sees what its writer had written
** before. What several elements say together is the business of the lock that the object refers to,
** which only scripts take.
**
** Elements have values that a Lua integer or number can say: the highest bit of an unsigned 64-bit
** one is never set.
*/
#ifndef MPL_DS_CELLS_H
#define MPL_DS_CELLS_H

#include <string.h>

#include "base/point.h"
#include "shm/object.h"

enum mpl_cells_code {
  MPL_CELLS_CHAR, /* a byte that scripts see as a string */
  MPL_CELLS_I8,
  MPL_CELLS_U8,
  MPL_CELLS_I16,
  MPL_CELLS_U16,
  MPL_CELLS_I32,
  MPL_CELLS_U32,
  MPL_CELLS_I64,
  MPL_CELLS_U64,
  MPL_CELLS_F32, /* from here on `d` of mpl_cell counts */
  MPL_CELLS_F64
};

/* What a letter of the struct and array modules stands for. */
struct mpl_cells_type {
  char letter;
  unsigned char code; /* enum mpl_cells_code */
  unsigned char size; /* bytes of an element: 1, 2, 4 or 8 */
  int64_t min, max;   /* of integers and bytes */
};

/* The value of an element. */
union mpl_cell {
  int64_t i;
  double d;
};

struct mpl_cells {
  MPL_ALIGNED uint64_t count; /* elements */
  struct mpl_cells_type type;
  mpl_a64 lock; /* id of the lock object, counted; 0: it has none */
  MPL_ALIGNED unsigned char data[];
};

#define MPL_CELLS_LETTERS "c b B h H i I l L q Q f d"

void mpl_cells_register(void);
const struct mpl_cells_type *mpl_cells_type_of(char letter);
enum mpl_status mpl_cells_new(enum mpl_object_type kind, const struct mpl_cells_type *type,
                              uint64_t count, const uint64_t *bits, uint64_t lock, uint64_t *id);

bool mpl_cells_fits(const struct mpl_cells_type *type, union mpl_cell v);
bool mpl_cells_bytes_fit(const struct mpl_cells_type *type, const void *bytes, uint64_t count);
void mpl_cells_read(const struct mpl_cells *cells, uint64_t at, uint64_t count, void *to);
void mpl_cells_write(struct mpl_cells *cells, uint64_t at, uint64_t count, const void *from);
bool mpl_cells_add(struct mpl_cells *cells, uint64_t at, union mpl_cell n, union mpl_cell *sum);
union mpl_cell mpl_cells_exchange(struct mpl_cells *cells, uint64_t at, union mpl_cell v);
bool mpl_cells_compare_and_set(struct mpl_cells *cells, uint64_t at, union mpl_cell old,
                               union mpl_cell v);

static inline bool mpl_cells_is_real(const struct mpl_cells_type *type) {
  return type->code >= MPL_CELLS_F32;
}

/* The bits of an element; `at` counts from 0 and is the caller's to check, here and below. */
static inline uint64_t mpl_cells_load(const struct mpl_cells *cells, uint64_t at) {
  switch (cells->type.size) {
    case 1: return mpl_load8_acq((const mpl_a8 *)cells->data + at);
    case 2: return mpl_load16_acq((const mpl_a16 *)cells->data + at);
    case 4: return mpl_load32_acq((const mpl_a32 *)cells->data + at);
    default: return mpl_load64_acq((const mpl_a64 *)cells->data + at);
  }
}

static inline void mpl_cells_store(struct mpl_cells *cells, uint64_t at, uint64_t bits) {
  MPL_POINT();
  switch (cells->type.size) {
    case 1: mpl_store8_rel((mpl_a8 *)cells->data + at, (uint8_t)bits); break;
    case 2: mpl_store16_rel((mpl_a16 *)cells->data + at, (uint16_t)bits); break;
    case 4: mpl_store32_rel((mpl_a32 *)cells->data + at, (uint32_t)bits); break;
    default: mpl_store64_rel((mpl_a64 *)cells->data + at, bits); break;
  }
}

/* What the bits of an element say. */
static inline union mpl_cell mpl_cells_decode(const struct mpl_cells_type *type, uint64_t bits) {
  union mpl_cell v;
  switch (type->code) {
    case MPL_CELLS_I8: v.i = (int8_t)bits; break;
    case MPL_CELLS_I16: v.i = (int16_t)bits; break;
    case MPL_CELLS_I32: v.i = (int32_t)bits; break;
    case MPL_CELLS_F32: {
      uint32_t word = (uint32_t)bits;
      float f;
      memcpy(&f, &word, sizeof f);
      v.d = (double)f;
      break;
    }
    default: memcpy(&v, &bits, sizeof v); break;
  }
  return v;
}

/* The bits for a value that fits the type; those beyond its size do not count. */
static inline uint64_t mpl_cells_encode(const struct mpl_cells_type *type, union mpl_cell v) {
  uint64_t bits;
  if (type->code == MPL_CELLS_F32) {
    float f = (float)v.d;
    uint32_t word;
    memcpy(&word, &f, sizeof word);
    return word;
  }
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

static inline union mpl_cell mpl_cells_get(const struct mpl_cells *cells, uint64_t at) {
  return mpl_cells_decode(&cells->type, mpl_cells_load(cells, at));
}

/* The value fits the type. */
static inline void mpl_cells_set(struct mpl_cells *cells, uint64_t at, union mpl_cell v) {
  mpl_cells_store(cells, at, mpl_cells_encode(&cells->type, v));
}

#endif
