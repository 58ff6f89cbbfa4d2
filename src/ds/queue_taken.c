/*
** Items in progress: see queue_taken.h.
*/
#include "ds/queue_taken.h"

#include "ds/section.h"
#include "shm/reflist.h"
#include "shm/super.h"

/* In the word `task` of a message: its taker is decoding it. The rest counts how often it was
   taken. */
#define DECODING ((uint64_t)1)
#define TAKEN ((uint64_t)2)

static struct mpl_taker *taker_at(mpl_off taker) {
  return MPL_AT(struct mpl_taker, taker);
}

/*
** Takers
*/

/* The queues from which this process has taken, by id, and its takers there; private. A taker is
   there as long as its queue and its process are. */
struct place {
  uint64_t queue;
  mpl_off taker;
};

static MPL_PER_PROCESS struct {
  uint64_t ident; /* of the process whose places they are: a fork brings its parent's along */
  struct place *place;
  size_t n, room;
} own;

static struct place *own_place(uint64_t queue) {
  if (own.ident != mpl_slot_ident(mpl_self)) own.n = 0;
  own.ident = mpl_slot_ident(mpl_self);
  for (size_t i = 0; i < own.n; i++)
    if (own.place[i].queue == queue) return &own.place[i];
  return NULL;
}

/* A place for a queue that has none: that of a queue which is no more, or a new one. NULL if there
   is no memory. */
static struct place *own_place_new(void) {
  for (size_t i = 0; i < own.n; i++)
    if (mpl_object_type_of(own.place[i].queue) == MPL_TYPE_NONE) return &own.place[i];
  if (own.n == own.room) {
    struct place *more = mpl_buf_enlarge(own.place, NULL, sizeof *more, &own.room, own.n + 1);
    if (more == NULL) return NULL;
    own.place = more;
  }
  return &own.place[own.n++];
}

static struct mpl_taker *mine(struct mpl_queue *q) {
  struct place *p = own_place(mpl_object_id_of(q));
  return p == NULL ? NULL : taker_at(p->taker);
}

/* Enters a taker for the caller. One of them, the spare, is there even if the queue's items have
   filled all memory: what was put can be got. */
static enum mpl_status taker_new(struct mpl_queue *q, mpl_off *out) {
  struct mpl_taker new = {.next = mpl_load64_rlx(&q->takers), .ident = mpl_slot_ident(mpl_self)};
  enum mpl_status s = mpl_heap_alloc(sizeof new, out);
  if (s == MPL_OK) {
    *taker_at(*out) = new;
    mpl_hand_take(mpl_self, *out);
  } else if (mpl_load64_rlx(&q->spare.ident) == 0) {
    *out = mpl_arena_off(&q->spare);
    mpl_tx_store(&q->spare.ident, new.ident);
    mpl_tx_store(&q->spare.next, new.next);
  } else {
    return s;
  }
  mpl_tx_store(&q->takers, *out);
  mpl_tx_commit();
  return MPL_OK;
}

/* The caller as a taker; entered the first time. MPL_OK, MPL_NOMEM, MPL_NOPRIVATE. */
enum mpl_status mpl_queue_taker(struct mpl_queue *q, struct mpl_taker **out) {
  struct place *p = own_place(mpl_object_id_of(q));
  if (p == NULL) {
    mpl_off taker;
    p = own_place_new();
    if (p == NULL) return MPL_NOPRIVATE;
    p->queue = 0;
    enum mpl_status s = taker_new(q, &taker);
    if (s != MPL_OK) return s;
    *p = (struct place){.queue = mpl_object_id_of(q), .taker = taker};
  }
  *out = taker_at(p->taker);
  return MPL_OK;
}

/* In a section: an empty taker leaves the list, in which `link` leads to it. It is in hand then,
   and must be freed, unless it is the spare. */
static void tx_remove_taker(struct mpl_queue *q, mpl_a64 *link, mpl_off taker) {
  mpl_tx_store(link, mpl_load64_rlx(&taker_at(taker)->next));
  if (taker == mpl_arena_off(&q->spare))
    mpl_tx_store(&q->spare.ident, 0);
  else
    mpl_hand_put(mpl_self, taker, MPL_HAND_BLOCK);
}

static void free_taker(struct mpl_queue *q, mpl_off taker) {
  if (taker != mpl_arena_off(&q->spare)) mpl_heap_free(mpl_self, taker);
}

/*
** Taking and finishing
*/

/* In a section: a message becomes the newest item of a taker, the caller, which decodes it. */
void mpl_queue_tx_take(struct mpl_taker *t, mpl_off message) {
  struct mpl_message *m = mpl_message_at(message);
  mpl_off last = mpl_load64_rlx(&t->last);
  mpl_tx_store(&m->next, 0);
  mpl_tx_store(&m->task, (mpl_load64_rlx(&m->task) | DECODING) + TAKEN);
  mpl_tx_store(last == 0 ? &t->first : &mpl_message_at(last)->next, message);
  mpl_tx_store(&t->last, message);
  mpl_tx_store(&t->count, mpl_load64_rlx(&t->count) + 1);
}

/* In a section: takes a message out of the list of its taker, in which it stands behind `before`;
   0: it is the first. */
static void tx_unlink(struct mpl_taker *t, mpl_off before, mpl_off message) {
  mpl_off next = mpl_load64_rlx(&mpl_message_at(message)->next);
  mpl_tx_store(before == 0 ? &t->first : &mpl_message_at(before)->next, next);
  if (next == 0) mpl_tx_store(&t->last, before);
  mpl_tx_store(&t->count, mpl_load64_rlx(&t->count) - 1);
}

/* In a section: n more items are finished. */
void mpl_queue_tx_finished(struct mpl_queue *q, uint64_t n) {
  mpl_tx_publish(&q->finished, mpl_load64_rlx(&q->finished) + n);
}

/* Whom it concerns that the next item is finished: those who wait for all of them, and those who
   wait whether one comes back to a queue that was shut down. */
static void tell_of_end(struct mpl_queue *q) {
  if (mpl_load64_acq(&q->put) == mpl_load64_rlx(&q->finished) + 1)
    mpl_tx_wake(&q->all_finished, MPL_EC_ALL);
  if (mpl_load64_acq(&q->state) != MPL_QUEUE_OPEN) mpl_tx_wake(&q->not_empty, MPL_EC_ALL);
}

/* One section: an item in progress is finished, and lies in the caller's hand. */
static void finish(struct mpl_queue *q, struct mpl_taker *t, mpl_off before, mpl_off message) {
  tx_unlink(t, before, message);
  mpl_hand_put(mpl_self, message, MPL_HAND_MESSAGE);
  mpl_queue_tx_finished(q, 1);
  mpl_tx_commit();
}

/* The oldest item of a taker that is not being decoded, or 0, and the one before it. */
static mpl_off oldest(const struct mpl_taker *t, mpl_off *before) {
  *before = 0;
  mpl_off message = mpl_load64_rlx(&t->first);
  while (message != 0 && (mpl_load64_acq(&mpl_message_at(message)->task) & DECODING) != 0) {
    *before = message;
    message = mpl_load64_rlx(&mpl_message_at(message)->next);
  }
  return message;
}

static void leave_section(struct mpl_queue *q) {
  mpl_robust_unlock(&q->get_lock);
  mpl_tx_wake_flush();
}

/* Drops a message out of the hand; 0: nothing. No lock is held. */
static void drop(mpl_off message) {
  if (message != 0) mpl_message_drop(mpl_self, message);
  mpl_object_bury(); /* also what went with items of the dead */
}

/*
** The dead
*/

/* A dead taker goes. Its items go back to the front of the queue in one section, or are
   finished. */
static void bereave(struct mpl_queue *q, mpl_a64 *link, mpl_off taker) {
  struct mpl_taker *t = taker_at(taker);
  bool back = (q->kind & MPL_QUEUE_REQUEUE) != 0 && mpl_load64_acq(&q->state) != MPL_QUEUE_EMPTIED;
  mpl_off message;
  while (!back && (message = mpl_load64_rlx(&t->first)) != 0) {
    finish(q, t, 0, message);
    mpl_message_drop(mpl_self, message);
  }
  uint64_t n = mpl_load64_rlx(&t->count);
  if (n > 0) {
    mpl_off last = mpl_load64_rlx(&t->last);
    mpl_tx_store(&mpl_message_at(last)->next, mpl_load64_rlx(&q->front));
    mpl_tx_store(&q->front, mpl_load64_rlx(&t->first));
    mpl_tx_store(&q->front_count, mpl_load64_rlx(&q->front_count) + n);
    mpl_tx_publish(&q->got, mpl_load64_rlx(&q->got) - n);
    mpl_tx_store(&t->first, 0); /* it may be the spare, which is used again */
    mpl_tx_store(&t->last, 0);
    mpl_tx_store(&t->count, 0);
  }
  tx_remove_taker(q, link, taker);
  mpl_tx_commit();
  free_taker(q, taker);
}

/* Looks for dead takers if somebody was cleaned up after since the last look, or `anyway`. Says
   whether it did. The caller calls mpl_tx_wake_flush and mpl_object_bury after it has released the
   lock. */
bool mpl_queue_taken_look(struct mpl_queue *q, bool anyway) {
  uint64_t deaths = mpl_load64_acq(&mpl_super()->recovered);
  if (!anyway && deaths == q->deaths_seen) return false;
  q->deaths_seen = deaths;
  mpl_a64 *link = &q->takers;
  mpl_off taker;
  bool told = false;
  while ((taker = mpl_load64_rlx(link)) != 0) {
    if (mpl_slot_ident_lives(mpl_load64_rlx(&taker_at(taker)->ident))) {
      link = &taker_at(taker)->next;
      continue;
    }
    if (!told) {
      mpl_tx_wake(&q->not_empty, MPL_EC_ALL);
      mpl_tx_wake(&q->all_finished, MPL_EC_ALL);
      told = true;
    }
    bereave(q, link, taker);
  }
  return true;
}

/* Somebody else who has items in progress; NULL: nobody. */
static const struct mpl_taker *other_taker(const struct mpl_queue *q) {
  uint64_t self = mpl_slot_ident(mpl_self);
  mpl_off taker = mpl_load64_rlx(&q->takers);
  while (taker != 0) {
    const struct mpl_taker *t = taker_at(taker);
    if (mpl_load64_rlx(&t->count) > 0 && mpl_load64_rlx(&t->ident) != self) return t;
    taker = mpl_load64_rlx(&t->next);
  }
  return NULL;
}

/* Adds to a wait that it ends when a process dies: one taker is watched, the deaths of all others
   are seen when somebody has noticed them. */
void mpl_queue_taken_watch(struct mpl_queue *q, struct mpl_wait *w) {
  const struct mpl_taker *t = other_taker(q);
  w->deaths = true;
  w->mortal = t != NULL;
  if (t != NULL) w->peer = mpl_load64_rlx(&t->ident);
}

/* Whether an item may still come back to the queue, which was shut down: somebody else has it. */
bool mpl_queue_taken_may_return(struct mpl_queue *q) {
  return (q->kind & MPL_QUEUE_REQUEUE) != 0 && mpl_load64_acq(&q->state) == MPL_QUEUE_SHUT &&
         other_taker(q) != NULL;
}

/* Looks for dead takers, so that the size of the queue is what it should be. Where the lock is not
   to be had it is as it is. Whether items may still come back to a queue that was shut down. */
bool mpl_queue_taken_refresh(struct mpl_queue *q) {
  if (mpl_section_enter(&q->get_lock, 0) != MPL_OK) return false;
  mpl_queue_taken_look(q, true);
  bool may_return = mpl_queue_taken_may_return(q);
  leave_section(q);
  drop(0);
  return may_return;
}

/*
** What a taker does with its items
*/

/* An item that was got has been decoded: from now on it can be finished, by others too. */
void mpl_queue_taken_decoded(mpl_off message) {
  mpl_a64 *task = &mpl_message_at(message)->task;
  mpl_store64_rel(task, mpl_load64_rlx(task) & ~DECODING);
}

/* The item before this one of the caller's; 0: it is the first. */
static mpl_off before_of(const struct mpl_taker *t, mpl_off message) {
  mpl_off before = 0, m = mpl_load64_rlx(&t->first);
  while (m != message) {
    MPL_ASSERT(m != 0);
    before = m;
    m = mpl_load64_rlx(&mpl_message_at(m)->next);
  }
  return before;
}

/* Gives an item that could not be decoded back: it is the next one to be got, as if it had not been
   got. */
void mpl_queue_taken_return(struct mpl_queue *q, mpl_off message) {
  struct mpl_message *m = mpl_message_at(message);
  if (mpl_robust_lock(&q->get_lock) == MPL_DAMAGED) return;
  struct mpl_taker *t = mine(q);
  mpl_tx_wake(&q->not_empty, 1);
  tx_unlink(t, before_of(t, message), message);
  mpl_tx_store(&m->task, mpl_load64_rlx(&m->task) - TAKEN);
  mpl_tx_store(&m->next, mpl_load64_rlx(&q->front));
  mpl_tx_store(&q->front, message);
  mpl_tx_store(&q->front_count, mpl_load64_rlx(&q->front_count) + 1);
  mpl_tx_publish(&q->got, mpl_load64_rlx(&q->got) - 1);
  mpl_tx_commit();
  leave_section(q);
}

/* Finishes an item that cannot be decoded at all. */
void mpl_queue_taken_discard(struct mpl_queue *q, mpl_off message) {
  if (mpl_robust_lock(&q->get_lock) == MPL_DAMAGED) return;
  struct mpl_taker *t = mine(q);
  tell_of_end(q);
  finish(q, t, before_of(t, message), message);
  leave_section(q);
  drop(message);
}

/* Finishes the oldest item that the caller has got and not finished; if there is none, and the
   queue is joinable, one of another process, the oldest of that. MPL_OK; MPL_MISUSE if there is
   none at all; MPL_SIGNAL, MPL_DAMAGED. */
enum mpl_status mpl_queue_taken_done(struct mpl_queue *q) {
  enum mpl_status s = mpl_section_enter(&q->get_lock, MPL_NEVER);
  if (s != MPL_OK) return s;
  struct mpl_taker *t = mine(q);
  mpl_off before = 0, message = t == NULL ? 0 : oldest(t, &before);
  if (message == 0 && (q->kind & MPL_QUEUE_JOINABLE) != 0) {
    mpl_queue_taken_look(q, true);
    mpl_off taker = mpl_load64_rlx(&q->takers);
    while (taker != 0 && (message = oldest(t = taker_at(taker), &before)) == 0)
      taker = mpl_load64_rlx(&t->next);
  }
  if (message != 0) {
    tell_of_end(q);
    finish(q, t, before, message);
  }
  leave_section(q);
  drop(message);
  return message != 0 ? MPL_OK : MPL_MISUSE;
}

/* The caller asks for its next item: if the queue keeps account and nobody needs to say when an
   item is finished, those that it has got before are. */
void mpl_queue_taken_next(struct mpl_queue *q) {
  struct mpl_taker *t = q->kind == MPL_QUEUE_REQUEUE ? mine(q) : NULL;
  while (t != NULL && mpl_load64_rlx(&t->count) > 0) {
    if (mpl_robust_lock(&q->get_lock) == MPL_DAMAGED) return;
    mpl_off before, message = oldest(t, &before);
    if (message != 0) {
      tell_of_end(q);
      finish(q, t, before, message);
    }
    leave_section(q);
    if (message == 0) return;
    drop(message);
  }
}

/* The caller ends: its items are finished, if it says so and nobody else says when they are; else
   they go where those of the dead go, without waiting for that. */
void mpl_queue_taken_leave(bool finished) {
  own_place(0); /* forgets those of the parent */
  for (size_t i = 0; i < own.n; i++) {
    uint64_t id = own.place[i].queue;
    enum mpl_object_type type = mpl_object_type_of(id);
    if (id == 0 || type == MPL_TYPE_NONE || mpl_object_retain(id) != MPL_OK) continue;
    struct mpl_queue *q = mpl_object_body(id, type);
    if (finished) mpl_queue_taken_next(q);
    if (mpl_robust_lock(&q->get_lock) != MPL_DAMAGED) {
      mpl_a64 *link = &q->takers;
      while (mpl_load64_rlx(link) != own.place[i].taker)
        link = &taker_at(mpl_load64_rlx(link))->next;
      mpl_tx_wake(&q->not_empty, MPL_EC_ALL);
      mpl_tx_wake(&q->all_finished, MPL_EC_ALL);
      bereave(q, link, own.place[i].taker);
      leave_section(q);
    }
    own.place[i].queue = 0;
    mpl_reflist_release(id);
  }
  own.n = 0;
}

/*
** Waiting until all items are finished
*/

/* MPL_OK: every item that was put is finished; MPL_BLOCK: not yet (w says what to wait for);
   MPL_TIMEOUT, MPL_SIGNAL, MPL_DAMAGED: the lock was not to be had. */
enum mpl_status mpl_queue_join_try(struct mpl_queue *q, struct mpl_wait *w, int64_t deadline) {
  enum mpl_status s = mpl_section_enter(&q->get_lock, deadline);
  if (s != MPL_OK) return s;
  mpl_queue_taken_look(q, true);
  uint64_t finished = mpl_load64_rlx(&q->finished);
  if (mpl_load64_acq(&q->put) != finished) {
    s = MPL_BLOCK;
    w->kind = MPL_WAIT_OBJECT;
    w->body = q;
    w->ec = &q->all_finished;
    w->watch = &q->finished;
    w->seen = finished;
    w->peer = 0;
    mpl_queue_taken_watch(q, w);
  }
  leave_section(q);
  drop(0);
  return s;
}

/*
** What the object table needs
*/

/* Nobody else reaches the queue any more. */
void mpl_queue_taken_dismantle(struct mpl_queue *q) {
  mpl_off taker, message;
  while ((taker = mpl_load64_rlx(&q->takers)) != 0) {
    struct mpl_taker *t = taker_at(taker);
    while ((message = mpl_load64_rlx(&t->first)) != 0) {
      finish(q, t, 0, message);
      mpl_message_drop(mpl_self, message);
    }
    tx_remove_taker(q, &q->takers, taker);
    mpl_tx_commit();
    free_taker(q, taker);
  }
}

static bool walk_taker(struct mpl_taker *t, bool (*visit)(void *arg, mpl_off block),
                       bool (*ref)(void *arg, uint64_t id), void *arg) {
  uint64_t n = 0;
  mpl_off last = 0;
  mpl_off m = mpl_load64_rlx(&t->first);
  for (; m != 0; m = mpl_load64_rlx(&mpl_message_at(m)->next)) {
    if (!mpl_message_walk(m, visit, ref, arg)) return false;
    last = m;
    n++;
  }
  return n == mpl_load64_rlx(&t->count) && last == mpl_load64_rlx(&t->last);
}

/* For the checker: each taker's list is whole, and what was got is finished or in progress. */
bool mpl_queue_taken_walk(struct mpl_queue *q, bool (*visit)(void *arg, mpl_off block),
                          bool (*ref)(void *arg, uint64_t id), void *arg) {
  uint64_t in_progress = 0;
  bool spare = false;
  mpl_off taker = mpl_load64_rlx(&q->takers);
  for (; taker != 0; taker = mpl_load64_rlx(&taker_at(taker)->next)) {
    if (taker == mpl_arena_off(&q->spare))
      spare = true;
    else if (!visit(arg, taker))
      return false;
    if (!walk_taker(taker_at(taker), visit, ref, arg)) return false;
    in_progress += mpl_load64_rlx(&taker_at(taker)->count);
  }
  if (spare != (mpl_load64_rlx(&q->spare.ident) != 0)) return false;
  return q->kind == 0 || mpl_load64_rlx(&q->got) - mpl_load64_rlx(&q->finished) == in_progress;
}
