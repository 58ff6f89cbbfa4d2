/*
** Lists in the torture. Their elements are numbers that can be told from others, as bytes or as
** messages with a reference to a lock, so that no circle comes about.
*/
#ifndef MPL_TEST_TORTURE_LISTS_H
#define MPL_TEST_TORTURE_LISTS_H

#include "ds/keep.h"
#include "ds/list.h"
#include "torture_cells.h"

#define LISTS_LONGEST 200

/* A number and what it must be beside. */
struct lists_element {
  uint32_t number, echo;
};

static struct mpl_list *lists_of(uint64_t id) {
  struct mpl_list *l = mpl_object_body(id, MPL_TYPE_LIST);
  CHECK(l != NULL);
  return l;
}

static void lists_check(const struct mpl_list_image *image) {
  struct mpl_value v = mpl_list_value_of(image);
  struct lists_element e;
  CHECK((v.message != 0 ? mpl_message_at(v.message)->size : v.size) == sizeof e);
  memcpy(&e, v.message != 0 ? mpl_message_data(v.message) : v.bytes, sizeof e);
  CHECK(e.echo == ~e.number && (v.message != 0) == (e.number % 4 == 0));
  if (v.message != 0)
    CHECK(mpl_object_type_of(mpl_load64_rlx(&mpl_message_at(v.message)->ref[0])) == MPL_TYPE_LOCK);
}

/* The message of an element lies in the hand. */
static void lists_drop(const struct mpl_list_image *image) {
  mpl_off message = mpl_list_value_of(image).message;
  if (message == 0) return;
  if (draw(3) == 0) cells_fetch(mpl_load64_rlx(&mpl_message_at(message)->ref[0]));
  mpl_message_drop(mpl_self, message);
  mpl_object_bury();
}

/* Calls again as long as a signal has come in between. */
static bool lists_again(enum mpl_status s) {
  if (s == MPL_SIGNAL) mpl_signal_take(MPL_SIGNAL_CHILD);
  return s == MPL_SIGNAL;
}

/* False if there is no memory for it, or no lock. */
static bool lists_build(struct lists_element *e, struct mpl_value *v) {
  uint64_t lock = cells_pick(MPL_TYPE_LOCK);
  e->number = (uint32_t)draw(UINT32_MAX);
  if (lock == 0) e->number |= 1;
  e->echo = ~e->number;
  *v = (struct mpl_value){.bytes = e, .size = sizeof *e};
  if (e->number % 4 != 0) return true;
  enum mpl_status s = mpl_message_new(sizeof *e, 1, &v->message);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s != MPL_OK) return false;
  memcpy(mpl_message_data(v->message), e, sizeof *e);
  CHECK(mpl_message_add_ref(v->message, lock) == MPL_OK);
  return true;
}

static int64_t lists_place(struct mpl_list *l) {
  int64_t n = (int64_t)mpl_list_count(l);
  return (int64_t)draw((uint64_t)(2 * n + 2)) - n - 1;
}

static void lists_put(uint64_t id, bool set) {
  struct mpl_list *l = lists_of(id);
  struct mpl_wait w = MPL_WAIT_INIT;
  struct lists_element e;
  struct mpl_value v;
  int64_t place = lists_place(l);
  if ((!set && mpl_list_count(l) > LISTS_LONGEST) || !lists_build(&e, &v)) return;
  enum mpl_status s;
  do {
    s = set ? mpl_list_set(l, 0, place, &v, &w) : mpl_list_insert(l, 0, place, &v, &w);
  } while (lists_again(s));
  CHECK(s == MPL_OK || s == MPL_NOMEM || (set && s == MPL_MISUSE));
  if (s != MPL_OK && v.message != 0) mpl_message_drop(mpl_self, v.message);
  mpl_object_bury();
}

static void lists_insert(uint64_t id) {
  lists_put(id, false);
}

static void lists_set(uint64_t id) {
  lists_put(id, true);
}

static void lists_take(uint64_t id) {
  struct mpl_list *l = lists_of(id);
  struct mpl_wait w = MPL_WAIT_INIT;
  struct mpl_list_image image;
  int64_t place = lists_place(l);
  bool only_last = draw(4) == 0;
  enum mpl_status s;
  while (lists_again(s = mpl_list_take(l, 0, place, only_last, &image, &w))) {}
  CHECK(s == MPL_OK || s == MPL_MISUSE);
  if (s != MPL_OK) return;
  lists_check(&image);
  lists_drop(&image);
}

static void lists_get(uint64_t id) {
  struct mpl_list *l = lists_of(id);
  struct mpl_list_image image;
  int64_t place = lists_place(l);
  enum mpl_status s;
  while (lists_again(s = mpl_list_get(l, place, &image))) {}
  CHECK(s == MPL_OK || s == MPL_MISUSE);
  if (s != MPL_OK) return;
  lists_check(&image);
  lists_drop(&image);
}

static void lists_look(struct mpl_list *l, int64_t first, int64_t last) {
  struct mpl_list_snapshot copy;
  enum mpl_status s;
  while (lists_again(s = mpl_list_snapshot(l, first, last, &copy))) {}
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s != MPL_OK) return;
  for (uint64_t i = 0; i < copy.count; i++) lists_check(&copy.cell[i]);
  mpl_list_snapshot_free(&copy);
}

static void lists_read(uint64_t id) {
  struct mpl_list *l = lists_of(id);
  int64_t first = lists_place(l), last = lists_place(l);
  lists_look(l, first, last);
}

/* While all rest. */
static void lists_inspect(uint64_t id) {
  lists_look(lists_of(id), 1, -1);
}

/* A list of the caller's own is appended, or takes the place of all. */
static void lists_replace(uint64_t id) {
  struct mpl_list *l = lists_of(id), *own;
  struct mpl_wait w = MPL_WAIT_INIT;
  uint64_t own_id, n = draw(8);
  enum mpl_status s = mpl_list_new(&own_id);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s != MPL_OK) return;
  own = lists_of(own_id);
  while (n-- > 0) lists_put(own_id, false);
  bool swap = draw(4) == 0 || mpl_list_count(l) > LISTS_LONGEST;
  do {
    s = swap ? mpl_list_swap(l, 0, own, &w) : mpl_list_splice(l, 0, own, &w);
  } while (lists_again(s));
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  mpl_reflist_release(own_id);
}

#endif
