/*
** The task ledger of a pool: chunks of tasks (ds/chunk.h) on their way from its owner to workers
** and back.
**
** The owner puts chunks and collects them again when their tasks have results. A worker has an
** entry, and takes one chunk at a time. Each chunk stands in exactly one place: the queue, the
** entry of a worker, the list of the finished, or that of the collected, which the owner reads. Its
** moves are sections under the one lock. So what a worker had when it died is still in its entry:
** the owner says that the worker is lost, and the chunk goes on at the task behind the last result,
** without the one that was begun, or with that once more.
**
** A job is what the tasks of many chunks have in common: a message, in front of whose bytes stands
** a struct mpl_job. It stays as long as a chunk or the owner needs it. The list of jobs, and that
** of the collected, are the owner's: nobody else looks at them, but they change in sections.
**
** If the owner dies its workers do, too, and all goes with the object.
*/
#ifndef MPL_DS_TASKS_H
#define MPL_DS_TASKS_H

#include "ds/chunk.h"
#include "shm/message.h"
#include "shm/object.h"
#include "shm/wait.h"
#include "sync/robust.h"

#define MPL_TASKS_SLOWEST 5

/* The time that a task took. Written by its worker, and read without a lock: a hint. */
struct mpl_tasks_time {
  mpl_a64 took; /* ns; 0: none */
  mpl_a64 tag;
  mpl_a64 index;
};

struct mpl_tasks_worker {
  MPL_ALIGNED mpl_a64 ident; /* who serves; 0: nobody */
  mpl_a64 pid;
  mpl_a64 chunk;   /* in progress; 0: none */
  mpl_a64 looks;   /* 1: it has none and is awake: it looks at the queue before it sleeps */
  mpl_a64 started; /* when it began to serve, ns; this and what follows are hints for statistics */
  mpl_a64 task;    /* index of the task that it does + 1; 0: idle */
  mpl_a64 tasks;   /* done */
  mpl_a64 busy;    /* ns */
  struct mpl_tasks_time slowest[MPL_TASKS_SLOWEST]; /* of all that served here; slowest first */
};

struct mpl_tasks_list {
  mpl_a64 first, last;
  mpl_a64 count; /* published: read by anyone */
};

struct mpl_job {
  uint64_t id; /* from 1 on */
  mpl_a64 users; /* chunks, and times that the owner needs it */
  mpl_a64 before; /* the job in front of it in the list; 0: none */
};

struct mpl_tasks {
  MPL_ALIGNED struct mpl_robust lock; /* guards all below, but for the hints of workers */
  struct mpl_tasks_list queued;
  mpl_a64 running; /* chunks in entries; published */
  mpl_a64 closed;  /* 1: no chunk is put any more; published */
  mpl_a64 ended;   /* 1: workers die at the alarm (proc/alarm.h); written by the owner alone */
  MPL_ALIGNED struct mpl_tasks_list finished;
  mpl_a64 finisher; /* the worker that has handed in or taken a chunk last */
  mpl_a64 wanted;   /* finished chunks that are worth waking the owner for; its own */
  struct mpl_tasks_list collected;
  mpl_a64 jobs;     /* first of them */
  uint64_t job_ids; /* ever given; the owner's */
  uint64_t result_size; /* what results take at present; the owner's */
  uint64_t owner;   /* identity */
  MPL_ALIGNED struct mpl_ec work; /* idle workers sleep here */
  MPL_ALIGNED struct mpl_ec ready; /* and the owner here */
  uint64_t nworkers;
  struct mpl_tasks_worker worker[];
};

/* What mpl_tasks_cancel has found. */
enum mpl_tasks_found { MPL_TASKS_NOTHING, MPL_TASKS_QUEUED, MPL_TASKS_RUNNING };

void mpl_tasks_register(void);
enum mpl_status mpl_tasks_new(uint64_t nworkers, uint64_t *id);

/* By the owner. */
mpl_off mpl_tasks_job_like(struct mpl_tasks *t, const struct mpl_piece *pieces, size_t npieces,
                           const uint64_t *refs, size_t nrefs);
enum mpl_status mpl_tasks_job_enter(struct mpl_tasks *t, mpl_off message);
mpl_off mpl_tasks_job_find(struct mpl_tasks *t, uint64_t id);
enum mpl_status mpl_tasks_job_use(struct mpl_tasks *t, mpl_off job, bool more);
enum mpl_status mpl_tasks_put(struct mpl_tasks *t, mpl_off chunk);
enum mpl_status mpl_tasks_collect(struct mpl_tasks *t, uint64_t wanted, mpl_off *chunk,
                                  struct mpl_wait *w, int64_t deadline);
void mpl_tasks_collected(struct mpl_tasks *t);
bool mpl_tasks_lost(struct mpl_tasks *t, uint64_t worker, int code);
enum mpl_tasks_found mpl_tasks_cancel(struct mpl_tasks *t, uint64_t tag, uint64_t *worker);
void mpl_tasks_close(struct mpl_tasks *t);
bool mpl_tasks_is_ready(struct mpl_tasks *t);

/* By a worker. */
enum mpl_status mpl_tasks_serve(struct mpl_tasks *t, uint64_t worker);
enum mpl_status mpl_tasks_step(struct mpl_tasks *t, uint64_t worker, mpl_off *chunk,
                               struct mpl_wait *w, int64_t deadline);
void mpl_tasks_leave(struct mpl_tasks *t, uint64_t worker);
void mpl_tasks_pass_on(struct mpl_tasks *t, uint64_t worker);
enum mpl_status mpl_tasks_chain(struct mpl_tasks *t, struct mpl_chunk *c, enum mpl_chunk_kind kind,
                                mpl_off message);

/* Of tasks_job.c, for tasks.c. */
bool mpl_tasks_job_tx_leave(struct mpl_tasks *t, mpl_off job);
bool mpl_tasks_job_walk(struct mpl_tasks *t, bool (*visit)(void *arg, mpl_off block),
                        bool (*ref)(void *arg, uint64_t id), void *arg);

static inline struct mpl_job *mpl_tasks_job_at(mpl_off message) {
  return mpl_message_data(message);
}

#endif
