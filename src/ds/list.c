/*
** The list: see list.h.
*/
#include "ds/list.h"

#include <string.h>

#include "ds/list_cells.h"
#include "ds/section.h"
#include "shm/message.h"
#include "shm/recover.h"
#include "shm/super.h"

#define LEAST 8 /* cells */

/*
** Cells
*/

static struct mpl_list_image image_of(const struct mpl_value *v) {
  struct mpl_list_image image = {{0, v->message}};
  unsigned char *bytes = (unsigned char *)&image;
  MPL_ASSERT(v->message != 0 || (v->size > 0 && v->size <= MPL_LIST_INLINE));
  bytes[0] = v->message != 0 ? MPL_LIST_MESSAGE : (unsigned char)v->size;
  if (v->message == 0) memcpy(bytes + 1, v->bytes, v->size);
  return image;
}

/* The value in a copy of a cell, as long as the copy lasts. */
struct mpl_value mpl_list_value_of(const struct mpl_list_image *image) {
  return (struct mpl_value){.bytes = (const unsigned char *)image + 1,
                            .size = mpl_list_kind_of(image),
                            .message = mpl_list_message_of(image)};
}

/* Stores where nobody looks yet, or what may be stored again. */
static void store(struct mpl_list_cell *c, const struct mpl_list_image *image) {
  mpl_store64_rlx(&c->word[0], image->word[0]);
  MPL_POINT();
  mpl_store64_rlx(&c->word[1], image->word[1]);
}

/*
** Entering, leaving, moving
*/

/* Moves what is left to be moved. The lock is held, no section is open. A step that is done again
   finds what it has to move where it was: only the next step overwrites that. */
static void end_move(struct mpl_list *l) {
  struct mpl_list_ring r = mpl_list_ring_of(l);
  struct mpl_list_move *m = &l->move;
  uint64_t step = mpl_load64_rlx(&m->step), last = mpl_load64_rlx(&m->last);
  if (step == 0) return;
  for (uint64_t left = mpl_load64_rlx(&m->left); left > 0; left--) {
    uint64_t gap = last - step * left;
    struct mpl_list_image next = mpl_list_load(&r.cell[(gap + step) & r.mask]);
    store(&r.cell[gap & r.mask], &next);
    mpl_fence_death();
    MPL_POINT();
    mpl_store64_rlx(&m->left, left - 1);
    mpl_fence_death();
    MPL_POINT();
  }
  struct mpl_list_image image = {{mpl_load64_rlx(&m->image[0]), mpl_load64_rlx(&m->image[1])}};
  if (mpl_list_kind_of(&image) != 0) store(&r.cell[last & r.mask], &image);
  mpl_fence_death();
  MPL_POINT();
  mpl_store64_rlx(&m->step, 0);
  mpl_fence_death();
}

/* In a section: from its commit on there is a move, which the caller ends. Only `step` is looked at
   before. */
static void tx_begin_move(struct mpl_list *l, uint64_t step, uint64_t last, uint64_t left,
                          const struct mpl_list_image *image) {
  MPL_POINT();
  mpl_store64_rlx(&l->move.last, last);
  mpl_store64_rlx(&l->move.left, left);
  mpl_store64_rlx(&l->move.image[0], image->word[0]);
  mpl_store64_rlx(&l->move.image[1], image->word[1]);
  mpl_fence_death();
  mpl_tx_store(&l->move.step, step);
}

/* MPL_OK with the lock held and no move in the list; MPL_SIGNAL or MPL_DAMAGED without. */
enum mpl_status mpl_list_enter(struct mpl_list *l) {
  enum mpl_status s = mpl_section_enter(&l->lock, MPL_NEVER);
  if (s == MPL_OK) end_move(l);
  return s;
}

/* The same for a change; MPL_BLOCK: somebody holds the gate, and w says who. */
static enum mpl_status enter_to_change(struct mpl_list *l, uint32_t thread, struct mpl_wait *w) {
  enum mpl_status s = mpl_list_enter(l);
  if (s != MPL_OK) return s;
  s = mpl_gate_pass(&l->gate, thread, w);
  if (s != MPL_OK) mpl_robust_unlock(&l->lock);
  return s;
}

static void leave(struct mpl_list *l) {
  mpl_robust_unlock(&l->lock);
  mpl_tx_wake_flush();
}

/* In a section: the list has changed, and has so many elements now. */
static void tx_changed(struct mpl_list *l, uint64_t count) {
  mpl_tx_wake(&l->changed, MPL_EC_ALL);
  if (count != mpl_load64_rlx(&l->count)) mpl_tx_publish(&l->count, count);
  mpl_tx_publish(&l->writes, mpl_load64_rlx(&l->writes) + 1);
}

/* In a section: a message comes from the caller's hand, or goes there; 0: there is none. */
static void tx_give_message(struct mpl_list *l, mpl_off message) {
  if (message == 0) return;
  mpl_hand_take(mpl_self, message);
  mpl_tx_store(&l->messages, mpl_load64_rlx(&l->messages) + 1);
}

static void tx_take_message(struct mpl_list *l, mpl_off message) {
  if (message == 0) return;
  mpl_hand_put(mpl_self, message, MPL_HAND_MESSAGE);
  mpl_tx_store(&l->messages, mpl_load64_rlx(&l->messages) - 1);
}

/*
** Capacity; under the lock
*/

/* Puts the cells into a block with so much room. MPL_NOMEM, MPL_DAMAGED: nothing has changed. */
static enum mpl_status resize(struct mpl_list *l, uint64_t capacity) {
  mpl_off block, old = mpl_load64_rlx(&l->cells);
  uint64_t count = mpl_load64_rlx(&l->count);
  enum mpl_status s = mpl_heap_alloc(capacity * sizeof(struct mpl_list_cell), &block);
  if (s != MPL_OK) return s;
  struct mpl_list_cell *to = mpl_arena_at(block, capacity * sizeof(struct mpl_list_cell));
  struct mpl_list_ring r = mpl_list_ring_of(l);
  for (uint64_t i = 0; i < count; i++) {
    struct mpl_list_image image = mpl_list_load(mpl_list_cell_at(&r, i));
    mpl_store64_rlx(&to[i].word[0], image.word[0]);
    mpl_store64_rlx(&to[i].word[1], image.word[1]);
  }
  mpl_hand_take(mpl_self, block);
  if (old != 0) mpl_hand_put(mpl_self, old, MPL_HAND_BLOCK);
  mpl_tx_store(&l->cells, block);
  mpl_tx_store(&l->capacity, capacity);
  mpl_tx_store(&l->head, 0);
  mpl_tx_commit();
  if (old != 0) mpl_heap_free(mpl_self, old);
  return MPL_OK;
}

/* Sees to it that there is room for so many elements. */
static enum mpl_status make_room(struct mpl_list *l, uint64_t count) {
  uint64_t capacity = mpl_load64_rlx(&l->capacity);
  if (count <= capacity) return MPL_OK;
  if (capacity == 0) capacity = LEAST;
  while (capacity < count) capacity *= 2;
  return resize(l, capacity);
}

/* Gives memory back of which little is used, if there is memory for that. */
static void trim(struct mpl_list *l) {
  uint64_t capacity = mpl_load64_rlx(&l->capacity);
  if (capacity > LEAST && mpl_load64_rlx(&l->count) < capacity / 4) resize(l, capacity / 2);
}

/*
** One element
*/

/* Turns a place into one from 0 on; false: there is no element. */
static bool find(const struct mpl_list *l, int64_t *at) {
  int64_t count = (int64_t)mpl_load64_rlx(&l->count);
  if (*at < 0) *at += count;
  return *at >= 0 && *at < count;
}

/*
** Copies the cell at a place. Its message, if it has one, is then shared by the caller's hand.
** MPL_OK; MPL_MISUSE: there is no such element; MPL_SIGNAL, MPL_DAMAGED.
*/
enum mpl_status mpl_list_get(struct mpl_list *l, int64_t at, struct mpl_list_image *image) {
  enum mpl_status s = mpl_list_enter(l);
  if (s != MPL_OK) return s;
  if (find(l, &at)) {
    struct mpl_list_ring r = mpl_list_ring_of(l);
    *image = mpl_list_load(mpl_list_cell_at(&r, (uint64_t)at));
    if (mpl_list_message_of(image) != 0) s = mpl_message_share(mpl_list_message_of(image));
  } else {
    s = MPL_MISUSE;
  }
  mpl_robust_unlock(&l->lock);
  return s;
}

/* Makes an element at a place from 0 to the count; there is room for it. */
static void put_in(struct mpl_list *l, uint64_t place, const struct mpl_value *v) {
  uint64_t count = mpl_load64_rlx(&l->count);
  bool before = place < count - place; /* those move that are fewer */
  uint64_t left = before ? place : count - place;
  struct mpl_list_ring r = mpl_list_ring_of(l);
  struct mpl_list_image image = image_of(v);
  r.head = (r.head - before) & r.mask;
  if (left == 0) store(mpl_list_cell_at(&r, place), &image);
  if (before) mpl_tx_store(&l->head, r.head);
  if (left > 0) tx_begin_move(l, before ? 1 : ~(uint64_t)0, r.head + place, left, &image);
  tx_give_message(l, v->message);
  tx_changed(l, count + 1);
  mpl_tx_commit();
  end_move(l);
}

/* One attempt of mpl_list_insert. */
static enum mpl_status insert(struct mpl_list *l, uint32_t thread, int64_t at,
                              const struct mpl_value *v, struct mpl_wait *w) {
  enum mpl_status s = enter_to_change(l, thread, w);
  if (s != MPL_OK) return s;
  int64_t count = (int64_t)mpl_load64_rlx(&l->count);
  if (at < 0) at = at + count < 0 ? 0 : at + count;
  s = make_room(l, (uint64_t)count + 1);
  if (s == MPL_OK) put_in(l, (uint64_t)(at < count ? at : count), v);
  leave(l);
  return s;
}

/*
** Inserts a value before the element at a place; at the nearer end if there is none. Its message
** is then the list's, but only if it returns MPL_OK. MPL_BLOCK: the gate is held, and w says by
** whom; MPL_NOMEM, MPL_SIGNAL, MPL_DAMAGED.
*/
enum mpl_status mpl_list_insert(struct mpl_list *l, uint32_t thread, int64_t at,
                                const struct mpl_value *v, struct mpl_wait *w) {
  enum mpl_status s;
  do {
    s = insert(l, thread, at, v, w);
  } while (s == MPL_NOMEM && mpl_recover_all());
  return s;
}

/* Puts a value in the place of another. Returns what then lies in the hand; 0: nothing. */
static mpl_off replace(struct mpl_list *l, uint64_t place, const struct mpl_value *v) {
  struct mpl_list_ring r = mpl_list_ring_of(l);
  struct mpl_list_cell *c = mpl_list_cell_at(&r, place);
  struct mpl_list_image old = mpl_list_load(c), new = image_of(v);
  tx_give_message(l, v->message);
  tx_take_message(l, mpl_list_message_of(&old));
  mpl_tx_store(&c->word[0], new.word[0]);
  mpl_tx_store(&c->word[1], new.word[1]);
  tx_changed(l, mpl_load64_rlx(&l->count));
  mpl_tx_commit();
  return mpl_list_message_of(&old);
}

/* One attempt of mpl_list_set. */
static enum mpl_status set(struct mpl_list *l, uint32_t thread, int64_t at,
                           const struct mpl_value *v, struct mpl_wait *w) {
  mpl_off old = 0;
  enum mpl_status s = enter_to_change(l, thread, w);
  if (s != MPL_OK) return s;
  int64_t count = (int64_t)mpl_load64_rlx(&l->count);
  if (find(l, &at)) {
    old = replace(l, (uint64_t)at, v);
  } else if (at == count) {
    s = make_room(l, (uint64_t)count + 1);
    if (s == MPL_OK) put_in(l, (uint64_t)count, v);
  } else {
    s = MPL_MISUSE;
  }
  leave(l);
  if (old != 0) mpl_message_drop(mpl_self, old);
  return s;
}

/*
** Puts a value in the place of the element at `at`, or appends it if that is the count. Otherwise
** as mpl_list_insert; MPL_MISUSE: there is no such element. What nobody refers to any more waits
** for mpl_object_bury.
*/
enum mpl_status mpl_list_set(struct mpl_list *l, uint32_t thread, int64_t at,
                             const struct mpl_value *v, struct mpl_wait *w) {
  enum mpl_status s;
  do {
    s = set(l, thread, at, v, w);
  } while (s == MPL_NOMEM && mpl_recover_all());
  return s;
}

/* Takes the element at a place out; its message then lies in the hand. */
static struct mpl_list_image take_out(struct mpl_list *l, uint64_t place) {
  static const struct mpl_list_image nothing;
  uint64_t count = mpl_load64_rlx(&l->count), behind = count - 1 - place;
  bool before = place < behind;
  uint64_t left = before ? place : behind;
  struct mpl_list_ring r = mpl_list_ring_of(l);
  struct mpl_list_image image = mpl_list_load(mpl_list_cell_at(&r, place));
  uint64_t last = r.head + (before ? 0 : count - 1); /* where the gap goes */
  if (before) mpl_tx_store(&l->head, (r.head + 1) & r.mask);
  if (left > 0) tx_begin_move(l, before ? ~(uint64_t)0 : 1, last, left, &nothing);
  tx_take_message(l, mpl_list_message_of(&image));
  tx_changed(l, count - 1);
  mpl_tx_commit();
  end_move(l);
  trim(l);
  return image;
}

/*
** Takes the element at a place out, into *image; its message, if it has one, then lies in the
** hand. MPL_OK; MPL_MISUSE: there is no such element, or it is not the last and `only_last`;
** MPL_BLOCK: the gate is held, and w says by whom; MPL_SIGNAL, MPL_DAMAGED.
*/
enum mpl_status mpl_list_take(struct mpl_list *l, uint32_t thread, int64_t at, bool only_last,
                              struct mpl_list_image *image, struct mpl_wait *w) {
  enum mpl_status s = enter_to_change(l, thread, w);
  if (s != MPL_OK) return s;
  if (find(l, &at) && (!only_last || (uint64_t)at + 1 == mpl_load64_rlx(&l->count)))
    *image = take_out(l, (uint64_t)at);
  else
    s = MPL_MISUSE;
  leave(l);
  return s;
}

/*
** All of it
*/

/* One attempt of mpl_list_splice. */
static enum mpl_status splice(struct mpl_list *l, uint32_t thread, struct mpl_list *own,
                              struct mpl_wait *w) {
  enum mpl_status s = enter_to_change(l, thread, w);
  if (s != MPL_OK) return s;
  uint64_t count = mpl_load64_rlx(&l->count), more = mpl_load64_rlx(&own->count);
  s = make_room(l, count + more);
  if (s == MPL_OK && more > 0) {
    struct mpl_list_ring to = mpl_list_ring_of(l), from = mpl_list_ring_of(own);
    for (uint64_t i = 0; i < more; i++) {
      struct mpl_list_image image = mpl_list_load(mpl_list_cell_at(&from, i));
      store(mpl_list_cell_at(&to, count + i), &image);
    }
    uint64_t messages = mpl_load64_rlx(&l->messages) + mpl_load64_rlx(&own->messages);
    mpl_tx_store(&l->messages, messages);
    mpl_tx_store(&own->messages, 0);
    mpl_tx_store(&own->count, 0);
    tx_changed(l, count + more);
    mpl_tx_commit();
  }
  leave(l);
  return s;
}

/*
** Appends all elements of `own`, a list that nobody but the caller knows, which is then empty.
** MPL_OK; MPL_BLOCK: the gate is held, and w says by whom; MPL_NOMEM, MPL_SIGNAL, MPL_DAMAGED.
*/
enum mpl_status mpl_list_splice(struct mpl_list *l, uint32_t thread, struct mpl_list *own,
                                struct mpl_wait *w) {
  enum mpl_status s;
  do {
    s = splice(l, thread, own, w);
  } while (s == MPL_NOMEM && mpl_recover_all());
  return s;
}

/* In a section: exchanges two words. */
static void tx_exchange(mpl_a64 *a, mpl_a64 *b) {
  uint64_t v = mpl_load64_rlx(a);
  mpl_tx_store(a, mpl_load64_rlx(b));
  mpl_tx_store(b, v);
}

/* Exchanges all elements with those of `own`, a list that nobody but the caller knows. MPL_OK;
   MPL_BLOCK: the gate is held, and w says by whom; MPL_SIGNAL, MPL_DAMAGED. */
enum mpl_status mpl_list_swap(struct mpl_list *l, uint32_t thread, struct mpl_list *own,
                              struct mpl_wait *w) {
  enum mpl_status s = enter_to_change(l, thread, w);
  if (s != MPL_OK) return s;
  uint64_t count = mpl_load64_rlx(&own->count);
  tx_exchange(&l->cells, &own->cells);
  tx_exchange(&l->capacity, &own->capacity);
  tx_exchange(&l->head, &own->head);
  tx_exchange(&l->messages, &own->messages);
  mpl_tx_store(&own->count, mpl_load64_rlx(&l->count));
  tx_changed(l, count);
  mpl_tx_commit();
  leave(l);
  return MPL_OK;
}

/* MPL_OK if the list has changed since it had so many writes; else MPL_BLOCK with w filled. */
enum mpl_status mpl_list_await(struct mpl_list *l, uint64_t seen, struct mpl_wait *w) {
  if (mpl_list_writes(l) != seen) return MPL_OK;
  w->kind = MPL_WAIT_OBJECT;
  w->body = l;
  w->ec = &l->changed;
  w->watch = &l->writes;
  w->seen = seen;
  return MPL_BLOCK;
}

/*
** What the object table needs
*/

/* From the last to the first, so that a death leaves a shorter list. */
static void dismantle(void *body) {
  struct mpl_list *l = body;
  end_move(l);
  struct mpl_list_ring r = mpl_list_ring_of(l);
  uint64_t n = mpl_load64_rlx(&l->count);
  while (mpl_load64_rlx(&l->messages) > 0) {
    struct mpl_list_image image = mpl_list_load(mpl_list_cell_at(&r, --n));
    if (mpl_list_message_of(&image) == 0) continue;
    mpl_tx_store(&l->count, n);
    tx_take_message(l, mpl_list_message_of(&image));
    mpl_tx_commit();
    mpl_message_drop(mpl_self, mpl_list_message_of(&image));
  }
  mpl_off cells = mpl_load64_rlx(&l->cells);
  if (cells == 0) return;
  mpl_tx_store(&l->count, 0);
  mpl_tx_store(&l->cells, 0);
  mpl_tx_store(&l->capacity, 0);
  mpl_hand_put(mpl_self, cells, MPL_HAND_BLOCK);
  mpl_tx_commit();
  mpl_heap_free(mpl_self, cells);
}

/* See struct mpl_object_ops. Ends a move, as whoever takes the lock does. */
static bool walk(void *body, bool (*visit)(void *arg, mpl_off block),
                 bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_list *l = body;
  uint64_t capacity = mpl_load64_rlx(&l->capacity), count = mpl_load64_rlx(&l->count), messages = 0;
  mpl_off cells = mpl_load64_rlx(&l->cells);
  if ((capacity == 0) != (cells == 0) || (capacity & (capacity - 1)) != 0 || count > capacity ||
      (capacity > 0 && mpl_load64_rlx(&l->head) >= capacity))
    return false;
  if (cells != 0 && (!visit(arg, cells) ||
                     capacity > mpl_heap_size_of(cells) / sizeof(struct mpl_list_cell)))
    return false;
  end_move(l);
  struct mpl_list_ring r = mpl_list_ring_of(l);
  for (uint64_t i = 0; i < count; i++) {
    struct mpl_list_image image = mpl_list_load(mpl_list_cell_at(&r, i));
    mpl_off message = mpl_list_message_of(&image);
    unsigned kind = mpl_list_kind_of(&image);
    if (kind == 0 || (message == 0 && kind > MPL_LIST_INLINE)) return false;
    if (message != 0 && !mpl_message_walk(message, visit, ref, arg)) return false;
    messages += message != 0;
  }
  return messages == mpl_load64_rlx(&l->messages);
}

void mpl_list_register(void) {
  static const struct mpl_object_ops ops = {
      .name = "list", .dismantle = dismantle, .walk = walk, .holder = mpl_lock_holder};
  mpl_object_register(MPL_TYPE_LIST, &ops);
}

static enum mpl_status init(void *body, const void *arg) {
  struct mpl_list *l = body;
  (void)arg;
  return mpl_robust_init(&l->lock, MPL_RANK_STRUCTURE);
}

/* An empty list, to which the caller holds a reference. MPL_NOMEM, MPL_NOPRIVATE, MPL_ERRNO. */
enum mpl_status mpl_list_new(uint64_t *id) {
  return mpl_object_new(MPL_TYPE_LIST, sizeof(struct mpl_list), init, NULL, id);
}
