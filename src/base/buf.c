/*
** The growing byte buffer of buf.h, and the same rule of growth for arrays of anything.
*/
#include "base/buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Begins empty, in `room` bytes at `initial` (NULL with 0 for none), which must outlive the buffer.
   */
void mpl_buf_init(struct mpl_buf *b, void *initial, size_t room) {
  b->data = b->initial = initial;
  b->size = 0;
  b->room = room;
}

/* Gives allocated memory back and leaves an empty buffer without storage; may be called again. */
void mpl_buf_free(struct mpl_buf *b) {
  if (b->data != b->initial) free(b->data);
  mpl_buf_init(b, NULL, 0);
}

/* Adds n bytes at the end. Returns false, and changes nothing, if there is no memory. */
bool mpl_buf_append(struct mpl_buf *b, const void *bytes, size_t n) {
  if (!mpl_buf_reserve(b, n)) return false;
  if (n > 0) memcpy(b->data + b->size, bytes, n);
  b->size += n;
  return true;
}

/* The slow half of mpl_buf_reserve. */
bool mpl_buf_grow_(struct mpl_buf *b, size_t n) {
  if (n > SIZE_MAX - b->size) return false;
  char *data = mpl_buf_enlarge(b->data, b->initial, 1, &b->room, b->size + n);
  if (data == NULL) return false;
  b->data = data;
  return true;
}

/*
** Moves an array to a larger place: `*room` items of `item` bytes become at least `needed`, and at
** least twice as many, so that filling an array item by item costs linear time. `array` is freed
** unless it is `initial`, storage that belongs to its owner (NULL if there is none).
** Returns the new place, or NULL if there is no memory; then the array stays as it is.
*/
void *mpl_buf_enlarge(void *array, const void *initial, size_t item, size_t *room, size_t needed) {
  size_t larger = *room < SIZE_MAX / 2 ? *room * 2 : SIZE_MAX;
  if (larger < needed) larger = needed;
  if (larger > PTRDIFF_MAX / item) return NULL;
  void *place = realloc(array == initial ? NULL : array, larger * item);
  if (place == NULL) return NULL;
  if (array == initial && *room > 0) memcpy(place, initial, *room * item);
  *room = larger;
  return place;
}
