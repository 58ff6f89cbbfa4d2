/*
** What the tests of queues that keep account of their items have in common: putting numbers, taking
** and finishing them, and takers that are killed.
*/
#ifndef MPL_TEST_TAKERS_H
#define MPL_TEST_TAKERS_H

#include "ds/queue_taken.h"
#include "world.h"

static struct world_batch takers_got;

/* A queue of this kind; the caller holds a reference. */
static inline struct mpl_queue *takers_new(uint64_t kind, uint64_t *id) {
  enum mpl_object_type type =
      (kind & MPL_QUEUE_JOINABLE) != 0 ? MPL_TYPE_JOINABLE_QUEUE : MPL_TYPE_QUEUE;
  CHECK(mpl_queue_new_as(type, 0, kind, id) == MPL_OK);
  struct mpl_queue *q = mpl_object_body(*id, type);
  CHECK(q != NULL);
  return q;
}

/* Puts a number, as the message that this kind of queue wants, with a reference to a lock. */
static inline void takers_put_with(struct mpl_queue *q, uint64_t number, uint64_t lock) {
  mpl_off message;
  CHECK(mpl_message_new(sizeof number, 1, &message) == MPL_OK);
  memcpy(mpl_message_data(message), &number, sizeof number);
  CHECK(mpl_message_add_ref(message, lock) == MPL_OK);
  CHECK(world_put_message(q, message) == MPL_OK);
}

/* The same with a lock that only the message refers to. */
static inline void takers_put(struct mpl_queue *q, uint64_t number) {
  uint64_t lock;
  CHECK(mpl_lock_new(&lock) == MPL_OK);
  takers_put_with(q, number, lock);
  mpl_reflist_release(lock);
}

static inline uint64_t takers_number_of(mpl_off message) {
  uint64_t number;
  CHECK(mpl_message_at(message)->size == sizeof number);
  memcpy(&number, mpl_message_data(message), sizeof number);
  CHECK(mpl_object_type_of(mpl_load64_rlx(&mpl_message_at(message)->ref[0])) == MPL_TYPE_LOCK);
  return number;
}

/* Takes an item and begins to decode it. */
static inline mpl_off takers_take(struct mpl_queue *q) {
  CHECK(world_get(q, 1, &takers_got, world_deadline()) == MPL_OK && takers_got.batch.n == 1);
  CHECK(takers_got.batch.item[0].message != 0);
  return takers_got.batch.item[0].message;
}

/* Takes an item and decodes it. It must be this one. */
static inline void takers_take_number(struct mpl_queue *q, uint64_t number, uint64_t attempt) {
  mpl_off message = takers_take(q);
  CHECK(takers_number_of(message) == number && mpl_queue_taken_attempt(message) == attempt);
  mpl_queue_taken_decoded(message);
}

static inline enum mpl_status takers_join(struct mpl_queue *q, int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  while ((s = mpl_queue_join_try(q, &w, deadline)) == MPL_BLOCK &&
         (s = world_step(&w, deadline)) == MPL_OK) {}
  mpl_wait_done(&w);
  return s;
}

static inline uint64_t takers_unfinished(const struct mpl_queue *q) {
  return mpl_load64_rlx(&q->put) - mpl_load64_rlx(&q->finished);
}

/*
** Takers that are killed
*/

struct takers_taker {
  struct mpl_queue *queue;
  uint64_t n; /* items that it takes */
};

static inline void takers_take_some(const struct takers_taker *taker) {
  for (uint64_t i = 0; i < taker->n; i++) mpl_queue_taken_decoded(takers_take(taker->queue));
}

static inline void takers_take_and_die(void *arg) {
  takers_take_some(arg);
  kill(getpid(), SIGKILL);
}

/* A process takes n items and is killed. Who dies is noticed now, or later. */
static inline void takers_bereave(struct mpl_queue *q, uint64_t n, bool noticed) {
  struct takers_taker taker = {q, n};
  struct mpl_child *child = world_start(takers_take_and_die, &taker);
  if (noticed) {
    CHECK(world_join(child) == -SIGKILL);
    return;
  }
  int status;
  while (waitpid(child->pid, &status, 0) < 0) CHECK(errno == EINTR);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

#endif
