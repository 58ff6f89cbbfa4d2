/*
** A chunk: some tasks of one job, one behind the other, and what came of them, in one block.
**
** It stands behind its header: the encoded arguments of each task (a head, then its bytes), then
** room for results. Arguments that refer to shared objects stand in a message instead; a result
** that does not fit into the room, or refers to shared objects, is a message in the chunk's list.
**
** A chunk has one owner at each instant, who alone writes to it: who makes it, the worker in whose
** entry it stands (ds/tasks.h), or whoever has the lock of the ledger in whose lists it is.
**
** `progress` says how many tasks have a result, and how many bytes of room these take. It changes
** by one store, with the result behind it written already: whatever instruction a worker dies at,
** the tasks before that number have their result, and those behind it were never begun, but for
** that one task at most.
**
** There is always room for a short record (MPL_CHUNK_LEAST) for each task without a result, so that
** it can be said of each that it was lost.
*/
#ifndef MPL_DS_CHUNK_H
#define MPL_DS_CHUNK_H

#include <stddef.h>

#include "base/buf.h"
#include "shm/arena.h"

/* What came of a task. */
enum mpl_chunk_kind {
  MPL_CHUNK_NONE,      /* it is not there yet */
  MPL_CHUNK_VALUE,     /* an encoded value */
  MPL_CHUNK_VALUES,    /* an encoded table of all results, with their number as n */
  MPL_CHUNK_ERROR,     /* an encoded error */
  MPL_CHUNK_LOST,      /* struct mpl_chunk_loss: its worker died */
  MPL_CHUNK_TIMEOUT,   /* the same: it took too long; behind it perhaps a text, where it was */
  MPL_CHUNK_CANCELLED, /* the same if it was begun, else nothing */
  MPL_CHUNK_NOMEM      /* the same: there was no shared memory for the result */
};
#define MPL_CHUNK_KIND_BITS 3

struct mpl_chunk_loss {
  uint32_t pid;
  int32_t code;      /* exit status, or -signal */
  uint32_t attempts; /* how often it was tried */
};

#define MPL_CHUNK_LEAST (sizeof(uint32_t) + sizeof(struct mpl_chunk_loss))

/* Longer results are messages. */
#define MPL_CHUNK_INLINE 4096

struct mpl_chunk {
  mpl_a64 next;     /* in the list in which it stands */
  uint64_t job;     /* message of its job */
  uint64_t tag;     /* for the owner of the ledger */
  uint64_t kind;    /* the same, and for the worker */
  uint64_t first;   /* the same: index of the first task */
  uint64_t count;   /* of tasks, at least 1 */
  uint64_t retries; /* deaths of workers that each task may cause */
  int64_t timeout;  /* of each task, ns; 0: none */
  uint64_t args_size;
  uint64_t room;    /* for results */
  mpl_a64 args;     /* message with the arguments; 0: they stand here */
  mpl_a64 results, results_last; /* messages; `task` is index << MPL_CHUNK_KIND_BITS | kind */
  mpl_a64 progress; /* tasks that have a result << 32 | bytes of room in use */
  mpl_a64 begun;    /* tasks begun: as many, or one more */
  mpl_a64 attempt;  /* index of a task << 32 | workers that died of it */
  mpl_a64 cancel;   /* 1: no further task is begun; written under the lock, read by the worker */
  mpl_a64 verdict;  /* enum mpl_chunk_kind of the task begun, if its worker kills itself now */
};

/* In front of the arguments of each task. */
struct mpl_chunk_arg {
  uint32_t size; /* of the bytes; does not count in a chunk of one task */
  uint32_t nrefs;
};

/* Where one stands in the arguments of a chunk. */
struct mpl_chunk_args {
  const struct mpl_chunk *chunk;
  const unsigned char *at;
  const uint64_t *refs;
};

/* Where one stands in the results of a chunk. */
struct mpl_chunk_results {
  const struct mpl_chunk *chunk;
  uint64_t task; /* the next one */
  uint64_t at;
  mpl_off message; /* the next one, 0: none */
};

struct mpl_chunk_result {
  enum mpl_chunk_kind kind;
  const void *bytes;
  size_t size;
  const uint64_t *refs;
  size_t nrefs;
};

static inline struct mpl_chunk *mpl_chunk_at(mpl_off chunk) {
  return MPL_AT(struct mpl_chunk, chunk);
}

static inline uint64_t mpl_chunk_done(const struct mpl_chunk *c) {
  return mpl_load64_acq(&c->progress) >> 32;
}

/* Whether no task of it is left to be begun. */
static inline bool mpl_chunk_is_over(const struct mpl_chunk *c) {
  return mpl_chunk_done(c) == c->count || mpl_load64_acq(&c->cancel) != 0;
}

enum mpl_status mpl_chunk_new(const struct mpl_chunk *like, uint64_t result_size, mpl_off *out);
void *mpl_chunk_args_of(struct mpl_chunk *c);
void mpl_chunk_args_start(struct mpl_chunk_args *a, struct mpl_chunk *c);
const void *mpl_chunk_args_next(struct mpl_chunk_args *a, size_t *size, const uint64_t **refs,
                                size_t *nrefs);
void mpl_chunk_begin(struct mpl_chunk *c);
bool mpl_chunk_publish(struct mpl_chunk *c, enum mpl_chunk_kind kind,
                       const struct mpl_piece *pieces, size_t npieces, size_t size);
void mpl_chunk_tx_chain(struct mpl_chunk *c, enum mpl_chunk_kind kind, mpl_off message);
void mpl_chunk_tx_bereave(struct mpl_chunk *c, uint64_t pid, int code);
void mpl_chunk_results_start(struct mpl_chunk_results *r, struct mpl_chunk *c);
void mpl_chunk_results_next(struct mpl_chunk_results *r, struct mpl_chunk_result *out);
uint64_t mpl_chunk_result_size(struct mpl_chunk *c);
bool mpl_chunk_walk(mpl_off chunk, bool (*visit)(void *arg, mpl_off block),
                    bool (*ref)(void *arg, uint64_t id), void *arg);

#endif
