/*
** Items in progress: what was got from a queue that keeps account (struct mpl_queue, `kind`) and is
** not finished yet.
**
** Such an item stays the queue's until it is finished: it lies in the list of its taker, a process,
** from which it goes, in one section, to its end or, if the taker is dead, back to the front of the
** queue. So an item is in the queue, or in progress, or finished, whatever instruction anybody dies
** at, and no item of a living process is got by another one. All of it is guarded by the get lock.
**
** Nobody cleans up when a taker dies: the next to get, to join or to ask for the size looks who is
** dead, and those who sleep are woken by the recovery of the dead process (mpl_super()->died).
**
** An item counts in `put` from put to the end, in `got` while it is in progress or finished, in
** `finished` after. Its message's word `task` says how often it was taken, and whether its taker is
** decoding it: then nobody may finish it.
*/
#ifndef MPL_DS_QUEUE_TAKEN_H
#define MPL_DS_QUEUE_TAKEN_H

#include "ds/queue.h"
#include "shm/message.h"

/* For the holder of the get lock. */
enum mpl_status mpl_queue_taker(struct mpl_queue *q, struct mpl_taker **out);
void mpl_queue_tx_take(struct mpl_taker *mine, mpl_off message);
void mpl_queue_tx_finished(struct mpl_queue *q, uint64_t n);
bool mpl_queue_taken_look(struct mpl_queue *q, bool anyway);
void mpl_queue_taken_watch(struct mpl_queue *q, struct mpl_wait *w);
bool mpl_queue_taken_may_return(struct mpl_queue *q);

/* For those who hold no lock. */
void mpl_queue_taken_decoded(mpl_off message);
void mpl_queue_taken_return(struct mpl_queue *q, mpl_off message);
void mpl_queue_taken_discard(struct mpl_queue *q, mpl_off message);
enum mpl_status mpl_queue_taken_done(struct mpl_queue *q);
void mpl_queue_taken_next(struct mpl_queue *q);
bool mpl_queue_taken_refresh(struct mpl_queue *q);
enum mpl_status mpl_queue_join_try(struct mpl_queue *q, struct mpl_wait *w, int64_t deadline);
void mpl_queue_taken_leave(bool finished);

/* For the object table. */
void mpl_queue_taken_dismantle(struct mpl_queue *q);
bool mpl_queue_taken_walk(struct mpl_queue *q, bool (*visit)(void *arg, mpl_off block),
                          bool (*ref)(void *arg, uint64_t id), void *arg);

/* How often an item in progress was taken: 1 at the first time. Its taker only, before it has
   decoded it. */
static inline uint64_t mpl_queue_taken_attempt(mpl_off message) {
  return mpl_load64_rlx(&mpl_message_at(message)->task) >> 1;
}

#endif
