/*
** The cells of a list, for the files of the list (list.h). All under its lock.
*/
#ifndef MPL_DS_LIST_CELLS_H
#define MPL_DS_LIST_CELLS_H

#include "ds/list.h"

struct mpl_list_cell {
  mpl_a64 word[2];
};

static inline unsigned mpl_list_kind_of(const struct mpl_list_image *image) {
  return *(const unsigned char *)image;
}

static inline mpl_off mpl_list_message_of(const struct mpl_list_image *image) {
  return mpl_list_kind_of(image) == MPL_LIST_MESSAGE ? image->word[1] : 0;
}

/* The cells of a list, to be used under its lock until they are replaced. */
struct mpl_list_ring {
  struct mpl_list_cell *cell;
  uint64_t head, mask;
};

static inline struct mpl_list_ring mpl_list_ring_of(const struct mpl_list *l) {
  uint64_t capacity = mpl_load64_rlx(&l->capacity);
  if (capacity == 0) return (struct mpl_list_ring){NULL, 0, 0};
  void *cells = mpl_arena_at(mpl_load64_rlx(&l->cells), capacity * sizeof(struct mpl_list_cell));
  return (struct mpl_list_ring){cells, mpl_load64_rlx(&l->head), capacity - 1};
}

static inline struct mpl_list_cell *mpl_list_cell_at(const struct mpl_list_ring *r,
                                                     uint64_t place) {
  return &r->cell[(r->head + place) & r->mask];
}

static inline struct mpl_list_image mpl_list_load(const struct mpl_list_cell *c) {
  return (struct mpl_list_image){{mpl_load64_rlx(&c->word[0]), mpl_load64_rlx(&c->word[1])}};
}

enum mpl_status mpl_list_enter(struct mpl_list *l);

#endif
