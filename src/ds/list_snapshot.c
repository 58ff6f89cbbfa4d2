/*
** Snapshots of a list: see list.h. The cells are copied under the lock; the messages to which
** they point are shared by a keep.
*/
#include <stdlib.h>

#include "ds/keep.h"
#include "ds/list_cells.h"
#include "shm/reflist.h"

#define AT_ONCE 64 /* messages that are looked up before they are shared */

/* The elements from `first` to `last`, as string.sub has it: counted from 1, or from the end if
   negative. Returns how many, and where the first is. */
static uint64_t part(uint64_t count, int64_t first, int64_t last, uint64_t *place) {
  int64_t n = (int64_t)count;
  if (first < 0) first = first < -n ? 1 : n + first + 1;
  if (first == 0) first = 1;
  if (last < 0) last = last < -n ? 0 : n + last + 1;
  if (last > n) last = n;
  *place = (uint64_t)first - 1;
  return first > last ? 0 : (uint64_t)(last - first) + 1;
}

/* Shares the messages among the cells of the snapshot. */
static enum mpl_status share(const struct mpl_list_snapshot *s) {
  mpl_off message[AT_ONCE];
  uint64_t n = 0;
  struct mpl_keep *keep = mpl_object_body(s->keep, MPL_TYPE_KEEP);
  enum mpl_status status = MPL_OK;
  for (uint64_t i = 0; i < s->count && status == MPL_OK; i++) {
    if (mpl_list_message_of(&s->cell[i]) != 0) message[n++] = mpl_list_message_of(&s->cell[i]);
    if (n == AT_ONCE || (n > 0 && i + 1 == s->count)) {
      status = mpl_keep_add(keep, message, n);
      n = 0;
    }
  }
  return status;
}

/* Copies the part, under the lock. MPL_BLOCK: it has more messages than the *room in the keep;
   that is then more than enough for them. */
static enum mpl_status copy(struct mpl_list *l, int64_t first, int64_t last,
                            struct mpl_list_snapshot *s, uint64_t *room) {
  uint64_t messages = 0;
  struct mpl_list_ring r = mpl_list_ring_of(l);
  s->count = part(mpl_load64_rlx(&l->count), first, last, &s->place);
  if (s->count == 0) return MPL_OK;
  s->cell = malloc(s->count * sizeof *s->cell);
  if (s->cell == NULL) return MPL_NOPRIVATE;
  for (uint64_t i = 0; i < s->count; i++) {
    s->cell[i] = mpl_list_load(mpl_list_cell_at(&r, s->place + i));
    messages += mpl_list_message_of(&s->cell[i]) != 0;
  }
  if (messages > *room) {
    *room = messages + messages / 8;
    return MPL_BLOCK;
  }
  return messages > 0 ? share(s) : MPL_OK;
}

/*
** Makes a copy of the elements from `first` to `last`, said as in string.sub, to be freed by
** mpl_list_snapshot_free. MPL_OK; MPL_NOMEM, MPL_NOPRIVATE, MPL_SIGNAL or MPL_DAMAGED, and there
** is nothing to be freed.
*/
enum mpl_status mpl_list_snapshot(struct mpl_list *l, int64_t first, int64_t last,
                                  struct mpl_list_snapshot *s) {
  uint64_t room = 0;
  enum mpl_status status;
  do {
    *s = (struct mpl_list_snapshot){0};
    if (room > 0 && (status = mpl_keep_new(room, &s->keep)) != MPL_OK) return status;
    status = mpl_list_enter(l);
    if (status == MPL_OK) {
      status = copy(l, first, last, s, &room);
      mpl_robust_unlock(&l->lock);
    }
    if (status != MPL_OK) mpl_list_snapshot_free(s);
  } while (status == MPL_BLOCK);
  return status;
}

/* Gives all of it back; does nothing the second time. */
void mpl_list_snapshot_free(struct mpl_list_snapshot *s) {
  free(s->cell);
  if (s->keep != 0) mpl_reflist_release(s->keep);
  *s = (struct mpl_list_snapshot){0};
}
