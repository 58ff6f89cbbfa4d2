/*
** A growing byte buffer in private memory.
**
** It starts in storage that its owner gives (some hundred bytes on the C stack, so that small
** contents cost no allocation) and moves to the heap when that is full. Invariant: `size` bytes of
** `data` are in use, `size <= room`, and `data == initial` as long as nothing has been allocated.
** A failed allocation is reported and leaves the buffer as it was.
*/
#ifndef MPL_BASE_BUF_H
#define MPL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes somewhere, as one of several pieces. */
struct mpl_piece {
  const void *data;
  size_t size;
};

struct mpl_buf {
  char *data;
  size_t size; /* bytes in use; may be lowered by anybody to cut the end off */
  size_t room; /* bytes there are */
  char *initial;
};

void mpl_buf_init(struct mpl_buf *b, void *initial, size_t room);
void mpl_buf_free(struct mpl_buf *b);
bool mpl_buf_append(struct mpl_buf *b, const void *bytes, size_t n);

void *mpl_buf_enlarge(void *array, const void *initial, size_t item, size_t *room, size_t needed);

bool mpl_buf_grow_(struct mpl_buf *b, size_t n);

/* Makes room for n more bytes; what stands at data + size may then be written, and size raised.
   Returns false, and changes nothing, if there is no memory. */
static inline bool mpl_buf_reserve(struct mpl_buf *b, size_t n) {
  return n <= b->room - b->size || mpl_buf_grow_(b, n);
}

#endif
