/*
** The message queue: first in, first out, any number of processes at both ends.
**
** Items stand one behind the other in a chain of segments; one that is large or carries references
** is a message of its own (shm/message.h) and only its offset stands there. Putters share one lock,
** getters another, and the two sides meet in two counters: items ever put, items ever got. An item
** exists from the moment that `put` counts it and is gone when `got` does; both are published by
** the commit of a section, so a death leaves an item in the queue or not, never torn and never
** twice.
**
** Guards: put_lock for the tail and `put`, get_lock for the head, the front and `got`. (The very
** first segment is made head by its putter: no getter looks at the head before there is an item.) A
** segment is written beyond the tail by the putter alone, and read before the tail by the getter
** alone.
**
** The front is a list of messages that were got and given back; they are got again before all
** others.
**
** A queue may keep account of what was got from it: all its items are messages, and those that were
** got stay the queue's until they are finished. That half is in queue_taken.h.
*/
#ifndef MPL_DS_QUEUE_H
#define MPL_DS_QUEUE_H

#include <stddef.h>

#include "base/buf.h"
#include "shm/object.h"
#include "shm/wait.h"
#include "sync/robust.h"

/* Longer items are messages of their own. */
#define MPL_QUEUE_INLINE 2048

/* Most items that one call puts or gets under one lock. */
#define MPL_QUEUE_BATCH 32

/* Most messages among them that one section moves: bounded by the journal and the hand. */
#define MPL_QUEUE_MESSAGES 8

/* Bits of `kind`. A queue that has one of them keeps account of what was got from it. */
#define MPL_QUEUE_JOINABLE 1u /* only mpl_queue_taken_done finishes an item */
#define MPL_QUEUE_REQUEUE 2u  /* an item whose taker died before it was finished is got again */

enum mpl_queue_state { MPL_QUEUE_OPEN, MPL_QUEUE_SHUT, MPL_QUEUE_EMPTIED };

/* A process that has got items, and those that it has not finished; the oldest first. */
struct mpl_taker {
  mpl_a64 next;  /* taker */
  mpl_a64 ident; /* 0 in the spare one: not in use */
  mpl_a64 first, last; /* messages */
  mpl_a64 count;
};

struct mpl_queue {
  MPL_ALIGNED uint64_t maxsize; /* 0: no limit; fixed at creation */
  uint64_t kind;                /* fixed at creation */
  mpl_a64 state;                /* enum mpl_queue_state; only grows */
  MPL_ALIGNED struct mpl_robust put_lock;
  mpl_a64 tail;    /* segment */
  mpl_a64 tail_at; /* where in it the next record goes */
  mpl_a64 putter;  /* identity of who put last; a hint for getters */
  MPL_ALIGNED mpl_a64 put;
  MPL_ALIGNED struct mpl_robust get_lock;
  mpl_a64 head;
  mpl_a64 head_at;
  mpl_a64 front;       /* first message that was given back, 0: none */
  mpl_a64 front_count;
  mpl_a64 getter;
  uint64_t put_seen;   /* what a getter last saw in `put`, to spare the putters' cache line */
  MPL_ALIGNED mpl_a64 got;
  MPL_ALIGNED struct mpl_ec not_empty;
  MPL_ALIGNED struct mpl_ec not_full;
  MPL_ALIGNED mpl_a64 takers; /* first of them, 0: none */
  struct mpl_taker spare;     /* one that needs no memory */
  uint64_t deaths_seen;       /* how many the last look at the takers knew to be cleaned up after */
  mpl_a64 finished;           /* items ever finished; published */
  struct mpl_ec all_finished;
};

/* An item to put: bytes in pieces, or a message that lies in the caller's hand. */
struct mpl_queue_item {
  const struct mpl_piece *pieces;
  size_t npieces;
  size_t size;     /* of all pieces, at most MPL_QUEUE_INLINE */
  mpl_off message; /* 0: the pieces */
};

/* Items got: the bytes of each in `bytes`, or a message, which then lies in the caller's hand, or
   if the queue keeps account is in progress. */
struct mpl_queue_got {
  mpl_off message; /* 0: the bytes */
  size_t at, size;
};
struct mpl_queue_batch {
  int n;
  struct mpl_queue_got item[MPL_QUEUE_BATCH];
  size_t used;
  size_t capacity; /* of bytes: at least MPL_QUEUE_INLINE */
  unsigned char *bytes;
};

void mpl_queue_register(void);
enum mpl_status mpl_queue_new(uint64_t maxsize, uint64_t *id);
enum mpl_status mpl_queue_new_as(enum mpl_object_type type, uint64_t maxsize, uint64_t kind,
                                 uint64_t *id);
enum mpl_status mpl_queue_put(struct mpl_queue *q, const struct mpl_queue_item *items, int n,
                              int *done, struct mpl_wait *w, int64_t deadline);
enum mpl_status mpl_queue_get(struct mpl_queue *q, int max, struct mpl_queue_batch *out,
                              struct mpl_wait *w, int64_t deadline);
enum mpl_status mpl_queue_unget(struct mpl_queue *q, mpl_off message);
enum mpl_status mpl_queue_shutdown(struct mpl_queue *q, bool immediate);
bool mpl_queue_is_ready(struct mpl_queue *q);
uint64_t mpl_queue_size(struct mpl_queue *q);
void mpl_queue_pass_on(struct mpl_queue *q, bool getter);

#endif
