/*
** The list: encoded values in a ring of cells, one block of the heap.
**
** A cell has a short value in itself; a longer one, or one with references, is a message to which
** the cell points. Element i lies in cell (head + i) mod capacity, so both ends grow and shrink
** without moving anything.
**
** Insertion and removal in the middle move the cells of the shorter side by one place, too many
** for one section. The section that makes the change therefore writes down the move, from which
** on the operation has happened; then the cells are moved one by one, each by a step that may be
** done twice. Whoever takes the lock from a holder that died in a move ends it first: nobody else
** ever sees one.
**
** Changes pass the gate (ds/gate.h). What changes the whole list at once is made in a second list
** that nobody else knows, which a death frees, and passes over in one section.
**
** A place counts from 0; a negative one from the end, -1 is the last element's.
*/
#ifndef MPL_DS_LIST_H
#define MPL_DS_LIST_H

#include "ds/gate.h"
#include "ds/value.h"
#include "shm/object.h"
#include "sync/robust.h"

/* Longer values, and those with references to shared objects, are messages. */
#define MPL_LIST_INLINE 15

/* A copy of a cell. Its first byte is the number of bytes that follow, or MPL_LIST_MESSAGE: then
   the second word is the message. 0: nothing. */
struct mpl_list_image {
  uint64_t word[2];
};
#define MPL_LIST_MESSAGE 255

/* The gap goes from cell `last - step * left` to cell `last`, one `step` at a time: what lies a
   step beyond it moves into it. In the end `image`, if it is not nothing, is put into it. */
struct mpl_list_move {
  mpl_a64 step; /* 1 or -1; 0: there is no move */
  mpl_a64 last;
  mpl_a64 left; /* cells to move; counted down without a section */
  mpl_a64 image[2];
};

struct mpl_list {
  struct mpl_lock gate; /* first, see ds/gate.h */
  MPL_ALIGNED struct mpl_ec changed;
  MPL_ALIGNED struct mpl_robust lock; /* guards all below */
  mpl_a64 cells;    /* block, 0: none */
  mpl_a64 capacity; /* of it, in cells: a power of two, or 0 */
  mpl_a64 head;
  mpl_a64 messages; /* cells that have one */
  mpl_a64 count;    /* elements; published */
  mpl_a64 writes;   /* changes, ever; published */
  struct mpl_list_move move;
};

/* A private copy of a part. Messages are those of the keep. */
struct mpl_list_snapshot {
  struct mpl_list_image *cell;
  uint64_t count, place; /* of the first */
  uint64_t keep; /* id, referred to by the caller; 0: there are no messages */
};

void mpl_list_register(void);
enum mpl_status mpl_list_new(uint64_t *id);

/* One element. `thread` is the caller's, for the gate. */
enum mpl_status mpl_list_get(struct mpl_list *l, int64_t at, struct mpl_list_image *image);
enum mpl_status mpl_list_set(struct mpl_list *l, uint32_t thread, int64_t at,
                             const struct mpl_value *v, struct mpl_wait *w);
enum mpl_status mpl_list_insert(struct mpl_list *l, uint32_t thread, int64_t at,
                                const struct mpl_value *v, struct mpl_wait *w);
enum mpl_status mpl_list_take(struct mpl_list *l, uint32_t thread, int64_t at, bool only_last,
                              struct mpl_list_image *image, struct mpl_wait *w);
struct mpl_value mpl_list_value_of(const struct mpl_list_image *image);

/* All of it, or parts. */
enum mpl_status mpl_list_splice(struct mpl_list *l, uint32_t thread, struct mpl_list *own,
                                struct mpl_wait *w);
enum mpl_status mpl_list_swap(struct mpl_list *l, uint32_t thread, struct mpl_list *own,
                              struct mpl_wait *w);
enum mpl_status mpl_list_snapshot(struct mpl_list *l, int64_t first, int64_t last,
                                  struct mpl_list_snapshot *s);
void mpl_list_snapshot_free(struct mpl_list_snapshot *s);

enum mpl_status mpl_list_await(struct mpl_list *l, uint64_t seen, struct mpl_wait *w);

/* Elements; stale as soon as it is known. */
static inline uint64_t mpl_list_count(const struct mpl_list *l) {
  return mpl_load64_acq(&l->count);
}

/* Grows with every change. */
static inline uint64_t mpl_list_writes(const struct mpl_list *l) {
  return mpl_load64_acq(&l->writes);
}

#endif
