/*
** What the tests of task ledgers have in common: chunks of tasks that double a number, a worker
** that does them, and an owner that looks at each result.
*/
#ifndef MPL_TEST_POOL_H
#define MPL_TEST_POOL_H

#include "ds/tasks.h"
#include "world.h"

/* How a worker gives its results. */
enum pool_way {
  POOL_INLINE,
  POOL_CHAINED, /* as messages, with a reference */
  POOL_MIXED    /* every second one */
};

#define POOL_MOST 64 /* tasks in a chunk */

struct pool {
  uint64_t id;
  struct mpl_tasks *ledger;
  uint64_t lock; /* to which all messages refer */
  mpl_off job;
};

/* What the tasks of a chunk have come to. */
struct pool_sum {
  uint64_t tag, values, lost, timeouts, cancelled, attempts;
};

/* A message in the hand, with a reference to the lock. */
static inline mpl_off pool_message(const struct pool *p, uint64_t size) {
  mpl_off message;
  CHECK(mpl_message_new(size, 1, &message) == MPL_OK);
  memset(mpl_message_data(message), 0, size);
  CHECK(mpl_message_add_ref(message, p->lock) == MPL_OK);
  return message;
}

/* A job that the owner needs. */
static inline mpl_off pool_job(const struct pool *p) {
  mpl_off job = pool_message(p, sizeof(struct mpl_job) + sizeof(uint64_t));
  CHECK(mpl_tasks_job_enter(p->ledger, job) == MPL_OK);
  return job;
}

/* A ledger, with a job; the caller holds a reference to it and to the lock. */
static inline void pool_make(struct pool *p, uint64_t workers) {
  mpl_tasks_register();
  CHECK(mpl_lock_new(&p->lock) == MPL_OK && mpl_tasks_new(workers, &p->id) == MPL_OK);
  p->ledger = mpl_object_body(p->id, MPL_TYPE_TASKS);
  CHECK(p->ledger != NULL);
  p->job = pool_job(p);
}

static inline void pool_release(const struct pool *p) {
  mpl_reflist_release(p->id);
  mpl_reflist_release(p->lock);
}

static inline uint64_t pool_number(uint64_t tag, uint64_t task) {
  return tag * 1000 + task;
}

struct pool_arg {
  struct mpl_chunk_arg head;
  uint64_t number;
};

/* Makes a chunk in the hand, with its arguments as a message, which is in the hand, too, if
   `apart`. */
static inline enum mpl_status pool_try_chunk(const struct pool *p, struct mpl_chunk like,
                                             bool apart, mpl_off *out) {
  like.job = p->job;
  like.args_size = like.count * sizeof(struct pool_arg);
  mpl_off args = apart ? pool_message(p, like.args_size) : 0;
  like.args = args;
  enum mpl_status s = mpl_chunk_new(&like, sizeof(uint64_t), out);
  if (s != MPL_OK) {
    if (args != 0) mpl_message_drop(mpl_self, args);
    return s;
  }
  struct pool_arg *arg = mpl_chunk_args_of(mpl_chunk_at(*out));
  for (uint64_t i = 0; i < like.count; i++)
    arg[i] = (struct pool_arg){{sizeof(uint64_t), apart && i == 0}, pool_number(like.tag, i)};
  return MPL_OK;
}

static inline mpl_off pool_chunk(const struct pool *p, struct mpl_chunk like, bool apart) {
  mpl_off chunk;
  CHECK(pool_try_chunk(p, like, apart, &chunk) == MPL_OK);
  return chunk;
}

/* Puts a chunk of so many tasks. */
static inline void pool_put(const struct pool *p, uint64_t tag, uint64_t tasks, uint64_t retries) {
  struct mpl_chunk like = {.tag = tag, .count = tasks, .retries = retries};
  CHECK(mpl_tasks_put(p->ledger, pool_chunk(p, like, tag % 2 == 1)) == MPL_OK);
}

/*
** Workers
*/

/* Hands in what the worker has and takes the next chunk, without waiting; NULL: there is none. */
static inline struct mpl_chunk *pool_step(const struct pool *p, uint64_t worker) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off chunk;
  enum mpl_status s = mpl_tasks_step(p->ledger, worker, &chunk, &w, world_deadline());
  CHECK(s == MPL_OK || s == MPL_BLOCK || s == MPL_CLOSED);
  return s == MPL_OK ? mpl_chunk_at(chunk) : NULL;
}

/* The same, and waits for it. */
static inline enum mpl_status pool_await(const struct pool *p, uint64_t worker,
                                         struct mpl_chunk **c) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off chunk;
  enum mpl_status s;
  while ((s = mpl_tasks_step(p->ledger, worker, &chunk, &w, world_deadline())) == MPL_BLOCK &&
         (s = world_step(&w, world_deadline())) == MPL_OK) {}
  mpl_wait_done(&w);
  if (s == MPL_OK) *c = mpl_chunk_at(chunk);
  return s;
}

/* The number that is the argument of the next task. */
static inline uint64_t pool_next_number(struct mpl_chunk *c) {
  struct mpl_chunk_args args;
  const void *bytes = NULL;
  const uint64_t *refs;
  size_t size = 0, nrefs;
  uint64_t done = mpl_chunk_done(c), number;
  mpl_chunk_args_start(&args, c);
  for (uint64_t i = 0; i <= done; i++) bytes = mpl_chunk_args_next(&args, &size, &refs, &nrefs);
  CHECK(size == sizeof number);
  memcpy(&number, bytes, sizeof number);
  CHECK(number == pool_number(c->tag, done));
  return number;
}

/* Publishes the result of the task begun. */
static inline void pool_publish(const struct pool *p, struct mpl_chunk *c, enum pool_way way) {
  uint64_t result = 2 * pool_next_number(c);
  struct mpl_piece piece = {&result, sizeof result};
  bool chained = way == POOL_CHAINED || (way == POOL_MIXED && mpl_chunk_done(c) % 2 == 1);
  if (!chained && mpl_chunk_publish(c, MPL_CHUNK_VALUE, &piece, 1, sizeof result)) return;
  mpl_off message = pool_message(p, sizeof result);
  memcpy(mpl_message_data(message), &result, sizeof result);
  CHECK(mpl_tasks_chain(p->ledger, c, MPL_CHUNK_VALUE, message) == MPL_OK);
}

static inline void pool_do(const struct pool *p, struct mpl_chunk *c, enum pool_way way) {
  mpl_chunk_begin(c);
  pool_publish(p, c, way);
}

/* Does all that is left of a chunk. */
static inline void pool_do_all(const struct pool *p, struct mpl_chunk *c, enum pool_way way) {
  while (!mpl_chunk_is_over(c)) pool_do(p, c, way);
}

/*
** Owners
*/

/* Looks at all results of a chunk. */
static inline struct pool_sum pool_look(struct mpl_chunk *c) {
  struct pool_sum sum = {.tag = c->tag};
  struct mpl_chunk_results results;
  struct mpl_chunk_result r;
  mpl_chunk_results_start(&results, c);
  for (uint64_t i = 0; i < c->count; i++) {
    struct mpl_chunk_loss loss;
    uint64_t number;
    mpl_chunk_results_next(&results, &r);
    if (r.kind == MPL_CHUNK_VALUE) {
      CHECK(r.size == sizeof number);
      memcpy(&number, r.bytes, sizeof number);
      CHECK(number == 2 * pool_number(c->tag, i));
      sum.values++;
    } else if (r.kind == MPL_CHUNK_CANCELLED) {
      sum.cancelled++;
    } else {
      CHECK((r.kind == MPL_CHUNK_LOST || r.kind == MPL_CHUNK_TIMEOUT) && r.size == sizeof loss);
      memcpy(&loss, r.bytes, sizeof loss);
      CHECK(loss.pid != 0 && loss.code == -SIGKILL && loss.attempts >= 1);
      sum.lost += r.kind == MPL_CHUNK_LOST;
      sum.timeouts += r.kind == MPL_CHUNK_TIMEOUT;
      sum.attempts = loss.attempts;
    }
  }
  return sum;
}

/* A finished chunk, if there is one now. */
static inline bool pool_try_collect(const struct pool *p, struct pool_sum *sum) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off chunk;
  if (mpl_tasks_collect(p->ledger, 1, &chunk, &w, world_deadline()) != MPL_OK) return false;
  *sum = pool_look(mpl_chunk_at(chunk));
  mpl_tasks_collected(p->ledger);
  return true;
}

static inline struct pool_sum pool_collect(const struct pool *p) {
  struct pool_sum sum;
  CHECK(pool_try_collect(p, &sum));
  return sum;
}

static inline uint64_t pool_count(const struct mpl_tasks_list *list) {
  return mpl_load64_acq(&list->count);
}

#endif
