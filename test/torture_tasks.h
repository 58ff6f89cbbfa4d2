/*
** What the processes of the torture do with task ledgers: one makes a ledger and is its owner and
** its workers in turn, at random. Arguments and results refer to other objects or not. Nobody else
** gets to know the ledger; what is in it when its process dies, at any point, must be gone with it.
*/
#ifndef MPL_TEST_TORTURE_TASKS_H
#define MPL_TEST_TORTURE_TASKS_H

#include "ds/tasks.h"
#include "torture_cells.h"

#define TASKS_WORKERS 3
#define TASKS_MOST 5 /* in a chunk */

struct tasks {
  struct mpl_tasks *ledger;
  mpl_off job;
  struct mpl_chunk *chunk[TASKS_WORKERS]; /* in progress */
  uint64_t put, collected;                /* chunks */
};

/* A message in the hand, with a reference or without; 0 for lack of memory. */
static mpl_off tasks_message(uint64_t size) {
  uint64_t id = draw(2) == 0 ? cells_pick(MPL_TYPE_NONE) : 0;
  mpl_off message;
  enum mpl_status s = mpl_message_new(size, id != 0, &message);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s != MPL_OK) return 0;
  memset(mpl_message_data(message), 0, size);
  if (id != 0) CHECK(mpl_message_add_ref(message, id) == MPL_OK);
  return message;
}

static void tasks_put(struct tasks *t) {
  struct mpl_chunk like = {.job = t->job, .tag = t->put, .count = 1 + draw(TASKS_MOST),
                           .retries = draw(3)};
  mpl_off chunk;
  like.args_size = like.count * (sizeof(struct mpl_chunk_arg) + sizeof(uint64_t));
  if (draw(2) == 0) like.args = tasks_message(like.args_size);
  enum mpl_status s = mpl_chunk_new(&like, 1 + draw(100), &chunk);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s != MPL_OK) {
    if (like.args != 0) mpl_message_drop(mpl_self, like.args);
    return;
  }
  memset(mpl_chunk_args_of(mpl_chunk_at(chunk)), 0, like.args_size);
  CHECK(mpl_tasks_put(t->ledger, chunk) == MPL_OK);
  t->put++;
}

/* The worker hands in what it has, or leaves it to others, and takes what is next. */
static void tasks_step(struct tasks *t, uint64_t worker) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off chunk;
  if (t->chunk[worker] != NULL && !mpl_chunk_is_over(t->chunk[worker])) {
    mpl_tasks_leave(t->ledger, worker);
    t->chunk[worker] = NULL;
    return;
  }
  enum mpl_status s;
  while ((s = mpl_tasks_step(t->ledger, worker, &chunk, &w, MPL_NEVER)) == MPL_SIGNAL)
    mpl_signal_take(MPL_SIGNAL_CHILD);
  CHECK(s == MPL_OK || s == MPL_BLOCK);
  t->chunk[worker] = s == MPL_OK ? mpl_chunk_at(chunk) : NULL;
}

/* The worker does a task of the chunk that it has. */
static void tasks_do(struct tasks *t, uint64_t worker) {
  struct mpl_chunk *c = t->chunk[worker];
  unsigned char bytes[300] = {0};
  struct mpl_piece piece = {bytes, draw(sizeof bytes)};
  if (c == NULL || mpl_chunk_is_over(c)) return;
  mpl_chunk_begin(c);
  if (draw(2) == 0 && mpl_chunk_publish(c, MPL_CHUNK_VALUE, &piece, 1, piece.size)) return;
  mpl_off message = tasks_message(draw(5000));
  if (message != 0) CHECK(mpl_tasks_chain(t->ledger, c, MPL_CHUNK_VALUE, message) == MPL_OK);
}

/* The worker is said to have died. */
static void tasks_lose(struct tasks *t, uint64_t worker) {
  CHECK(mpl_tasks_lost(t->ledger, worker, -SIGKILL));
  t->chunk[worker] = NULL;
  CHECK(mpl_tasks_serve(t->ledger, worker) == MPL_OK);
}

static void tasks_collect(struct tasks *t) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off chunk;
  if (mpl_tasks_collect(t->ledger, 1, &chunk, &w, MPL_NEVER) != MPL_OK) return;
  struct mpl_chunk *c = mpl_chunk_at(chunk);
  struct mpl_chunk_results results;
  struct mpl_chunk_result r;
  mpl_chunk_results_start(&results, c);
  for (uint64_t i = 0; i < c->count; i++) {
    mpl_chunk_results_next(&results, &r);
    CHECK(r.kind == MPL_CHUNK_VALUE || r.kind == MPL_CHUNK_LOST ||
          (r.kind == MPL_CHUNK_CANCELLED && mpl_load64_rlx(&c->cancel) != 0));
    for (size_t k = 0; k < r.nrefs; k++)
      CHECK(mpl_object_type_of(r.refs[k]) != MPL_TYPE_NONE);
  }
  mpl_tasks_collected(t->ledger);
  t->collected++;
}

static void tasks_one(struct tasks *t) {
  uint64_t worker = draw(TASKS_WORKERS), other;
  switch (draw(12)) {
    case 0: case 1: tasks_put(t); break;
    case 2: case 3: case 4: tasks_step(t, worker); break;
    case 5: case 6: case 7: case 8: tasks_do(t, worker); break;
    case 9: tasks_lose(t, worker); break;
    case 10: mpl_tasks_cancel(t->ledger, draw(t->put + 1), &other); break;
    default: tasks_collect(t); break;
  }
}

/* The life of a ledger. What is in it in the end goes with it. */
static void tasks_run(uint64_t unused) {
  struct tasks t = {.put = 0};
  uint64_t id;
  (void)unused;
  enum mpl_status s = mpl_tasks_new(TASKS_WORKERS, &id);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s != MPL_OK) return;
  t.ledger = mpl_object_body(id, MPL_TYPE_TASKS);
  t.job = tasks_message(sizeof(struct mpl_job) + draw(1000));
  if (t.job != 0) {
    CHECK(mpl_tasks_job_enter(t.ledger, t.job) == MPL_OK);
    for (uint64_t i = 0; i < TASKS_WORKERS; i++)
      CHECK(mpl_tasks_serve(t.ledger, i) == MPL_OK);
    for (uint64_t n = draw(200); n > 0; n--) tasks_one(&t);
    CHECK(t.put == t.collected + mpl_load64_rlx(&t.ledger->queued.count) +
                       mpl_load64_rlx(&t.ledger->running) +
                       mpl_load64_rlx(&t.ledger->finished.count) +
                       mpl_load64_rlx(&t.ledger->collected.count));
  }
  mpl_reflist_release(id);
  mpl_object_bury();
}

#endif
