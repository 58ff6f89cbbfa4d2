/*
** What the tests of RLock, Semaphore, Condition and Barrier have in common: bodies of objects, and
** the blocking forms of their calls.
*/
#ifndef MPL_TEST_SYNC_H
#define MPL_TEST_SYNC_H

#include "ds/barrier.h"
#include "ds/condition.h"
#include "ds/semaphore.h"
#include "world.h"

/* Makes the types known; before the program's first object is made. */
static inline void sync_register(void) {
  mpl_rlock_register();
  mpl_semaphore_register();
  mpl_condition_register();
  mpl_barrier_register();
}

static inline void *sync_body(uint64_t id, enum mpl_object_type type) {
  void *body = mpl_object_body(id, type);
  CHECK(body != NULL);
  return body;
}

static inline struct mpl_rlock *sync_rlock(uint64_t id) {
  return sync_body(id, MPL_TYPE_RLOCK);
}

static inline struct mpl_semaphore *sync_semaphore(uint64_t id) {
  bool bounded = mpl_object_type_of(id) == MPL_TYPE_BOUNDED_SEMAPHORE;
  return sync_body(id, bounded ? MPL_TYPE_BOUNDED_SEMAPHORE : MPL_TYPE_SEMAPHORE);
}

static inline struct mpl_condition *sync_condition(uint64_t id) {
  return sync_body(id, MPL_TYPE_CONDITION);
}

static inline struct mpl_barrier *sync_barrier(uint64_t id) {
  return sync_body(id, MPL_TYPE_BARRIER);
}

static inline struct mpl_condition_waiter *sync_waiter(mpl_off waiter) {
  return MPL_AT(struct mpl_condition_waiter, waiter);
}

/* A condition with an RLock to which nothing else refers. */
static inline uint64_t sync_new_condition(void) {
  uint64_t lock, id;
  CHECK(mpl_rlock_new(&lock) == MPL_OK && mpl_condition_new(lock, &id) == MPL_OK);
  mpl_reflist_release(lock);
  return id;
}

static inline struct mpl_rlock *sync_lock_of(struct mpl_condition *c) {
  return sync_rlock(mpl_condition_lock(c));
}

/* A message in the caller's hand with a reference to a lock that nobody else refers to. */
static inline mpl_off sync_message(void) {
  mpl_off message;
  uint64_t id;
  CHECK(mpl_message_new(100, 1, &message) == MPL_OK && mpl_lock_new(&id) == MPL_OK);
  CHECK(mpl_message_add_ref(message, id) == MPL_OK);
  mpl_reflist_release(id);
  return message;
}

static inline enum mpl_status sync_acquire(struct mpl_rlock *rlock, int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  while ((s = mpl_rlock_try(rlock, 0, &w)) == MPL_BLOCK &&
         (s = world_step(&w, deadline)) == MPL_OK) {
  }
  if (s == MPL_TIMEOUT) mpl_lock_pass_on(&rlock->lock);
  mpl_wait_done(&w);
  return s;
}

static inline enum mpl_status sync_take(struct mpl_semaphore *s, int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status status;
  while ((status = mpl_semaphore_try(s, &w)) == MPL_BLOCK &&
         (status = world_step(&w, deadline)) == MPL_OK) {
  }
  if (status == MPL_TIMEOUT) mpl_semaphore_pass_on(s);
  mpl_wait_done(&w);
  return status;
}

/* The caller holds the lock once, and has it again afterwards: MPL_OK, notified; MPL_TIMEOUT. */
static inline enum mpl_status sync_wait(struct mpl_condition *c, int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off waiter;
  enum mpl_status s;
  CHECK(mpl_condition_enter(c, &waiter) == MPL_OK);
  CHECK(mpl_rlock_release(sync_lock_of(c), 0) == MPL_OK);
  while ((s = mpl_condition_try(c, waiter, &w)) == MPL_BLOCK &&
         (s = world_step(&w, deadline)) == MPL_OK) {
  }
  s = mpl_condition_leave(c, waiter, false);
  mpl_wait_done(&w);
  enum mpl_status again = sync_acquire(sync_lock_of(c), world_deadline());
  CHECK(again == MPL_OK || again == MPL_RECOVERED);
  return s;
}

/* All of a wait: MPL_OK, MPL_CLOSED (broken, also by the deadline). */
static inline enum mpl_status sync_meet(struct mpl_barrier *b, int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off round = 0;
  uint64_t index = 0;
  enum mpl_status s;
  do {
    s = round == 0 ? mpl_barrier_enter(b, &round, &index, &w) : MPL_OK;
    bool last = s == MPL_OK && index == mpl_load64_rlx(&b->parties);
    if (last && mpl_load64_rlx(&b->acts)) CHECK(mpl_barrier_pass(b, round) == MPL_OK);
    if (s == MPL_OK) s = mpl_barrier_try(b, round, index, &w);
  } while (s == MPL_BLOCK && (s = world_step(&w, deadline)) == MPL_OK);
  if (s == MPL_TIMEOUT) s = mpl_barrier_leave(b, round, index);
  mpl_wait_done(&w);
  return s;
}

#endif
