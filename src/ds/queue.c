/*
** The message queue: see queue.h.
**
** A segment is a block of the heap: its header, then records. A record is a head word (kind and
** size), then the bytes, padded to eight. The record NEXT sends the reader to the next segment.
*/
#include "ds/queue.h"

#include <string.h>

#include "ds/queue_taken.h"
#include "ds/section.h"
#include "shm/message.h"
#include "shm/recover.h"
#include "shm/super.h"

#define FIRST_SEGMENT 1024
#define LARGEST_SEGMENT ((uint64_t)64 << 10)

enum record { INLINE = 1, MESSAGE = 2, NEXT = 3 };
#define KIND_BITS 2
#define KIND_MASK ((uint64_t)3)

struct segment {
  mpl_off next; /* written before the NEXT record that sends a reader there */
  uint64_t size; /* of the whole segment */
};

static uint64_t padded(uint64_t size) {
  return (size + 7) & ~(uint64_t)7;
}

static uint64_t *word_at(mpl_off segment, uint64_t at) {
  return MPL_AT(uint64_t, segment + at);
}

/*
** Putting; all under the put lock
*/

/* Makes a segment that has room for a record of `need` bytes, in the caller's hand. */
static enum mpl_status segment_new(uint64_t last_size, uint64_t need, mpl_off *out) {
  uint64_t size = last_size == 0 ? FIRST_SEGMENT : 2 * last_size;
  if (size > LARGEST_SEGMENT) size = LARGEST_SEGMENT;
  if (size < 4 * need) size = 4 * need;
  enum mpl_status s = mpl_heap_alloc(size, out);
  if (s == MPL_OK) *MPL_AT(struct segment, *out) = (struct segment){.next = 0, .size = size};
  return s;
}

/*
** Sees to it that the record of `need` bytes, and a NEXT after it, fit behind *at in *tail. A new
** segment is linked to the old one where nobody looks before the commit, and becomes the tail in
** the open section; the first of a queue becomes the head, too, at which no getter looks before
** there is an item.
*/
static enum mpl_status tx_make_room(struct mpl_queue *q, mpl_off *tail, uint64_t *at,
                                    uint64_t need) {
  uint64_t size = *tail == 0 ? 0 : MPL_AT(struct segment, *tail)->size;
  if (*at + need + sizeof(uint64_t) <= size) return MPL_OK;
  mpl_off more;
  enum mpl_status s = segment_new(size, need, &more);
  if (s != MPL_OK) return s;
  if (*tail == 0) {
    mpl_tx_store(&q->head, more);
  } else {
    MPL_POINT();
    MPL_AT(struct segment, *tail)->next = more;
    MPL_POINT();
    *word_at(*tail, *at) = NEXT;
  }
  mpl_hand_take(mpl_self, more);
  mpl_tx_store(&q->tail, more);
  *tail = more;
  *at = sizeof(struct segment);
  return MPL_OK;
}

static uint64_t record_size(const struct mpl_queue_item *item) {
  return sizeof(uint64_t) + (item->message != 0 ? sizeof(mpl_off) : padded(item->size));
}

/* Writes a record where nobody looks yet. */
static void write_record(mpl_off tail, uint64_t at, const struct mpl_queue_item *item) {
  uint64_t *head = mpl_arena_at(tail + at, record_size(item));
  MPL_POINT();
  if (item->message != 0) {
    head[0] = MESSAGE;
    head[1] = item->message;
    return;
  }
  head[0] = (uint64_t)item->size << KIND_BITS | INLINE;
  MPL_POINT();
  unsigned char *to = (unsigned char *)(head + 1);
  for (size_t i = 0; i < item->npieces; i++) {
    memcpy(to, item->pieces[i].data, item->pieces[i].size);
    to += item->pieces[i].size;
  }
}

/* Puts items in sections of at most one new segment each: an inner section, the heap's, must not
   run while one of the queue is open. *done counts what was committed. */
static enum mpl_status put_all(struct mpl_queue *q, const struct mpl_queue_item *items, int n,
                               int *done) {
  int i = 0;
  while (i < n) {
    MPL_ASSERT(q->kind == 0 || items[i].message != 0);
    mpl_off tail = mpl_load64_rlx(&q->tail);
    uint64_t at = mpl_load64_rlx(&q->tail_at);
    enum mpl_status s = tx_make_room(q, &tail, &at, record_size(&items[i]));
    if (s != MPL_OK) return s;
    uint64_t room = MPL_AT(struct segment, tail)->size - sizeof(uint64_t);
    int first = i, hands = 0;
    for (; i < n && at + record_size(&items[i]) <= room; i++) {
      if (items[i].message != 0) {
        if (++hands > MPL_QUEUE_MESSAGES) break; /* bounded by the journal */
        mpl_hand_take(mpl_self, items[i].message);
      }
      write_record(tail, at, &items[i]);
      at += record_size(&items[i]);
    }
    mpl_tx_store(&q->tail_at, at);
    mpl_tx_publish(&q->put, mpl_load64_rlx(&q->put) + (uint64_t)(i - first));
    mpl_tx_commit();
    *done += i - first;
  }
  return MPL_OK;
}

/* How many of n items there is room for; w is filled if that is less than n. */
static int admitted(struct mpl_queue *q, int n, struct mpl_wait *w) {
  if (q->maxsize == 0) return n;
  uint64_t got = mpl_load64_acq(&q->got), held = mpl_load64_rlx(&q->put) - got;
  uint64_t room = held < q->maxsize ? q->maxsize - held : 0;
  if (room >= (uint64_t)n) return n;
  w->kind = MPL_WAIT_ROOM;
  w->body = q;
  w->ec = &q->not_full;
  w->watch = &q->got;
  w->seen = got;
  w->peer = mpl_load64_rlx(&q->getter);
  return (int)room;
}

/* One attempt of mpl_queue_put. */
static enum mpl_status put_some(struct mpl_queue *q, const struct mpl_queue_item *items, int n,
                                int *done, struct mpl_wait *w, int64_t deadline) {
  *done = 0;
  enum mpl_status s = mpl_section_enter(&q->put_lock, deadline);
  if (s != MPL_OK) return s;
  if (mpl_load64_rlx(&q->state) != MPL_QUEUE_OPEN) {
    s = MPL_CLOSED;
  } else {
    int room = admitted(q, n, w);
    if (room > 0) {
      mpl_tx_wake(&q->not_empty, (uint64_t)room);
      MPL_POINT();
      mpl_store64_rlx(&q->putter, mpl_slot_ident(mpl_self));
      s = put_all(q, items, room, done);
    }
    if (s == MPL_OK && *done < n) s = MPL_BLOCK;
  }
  mpl_robust_unlock(&q->put_lock);
  mpl_tx_wake_flush();
  return s;
}

/*
** Puts up to n items, at most MPL_QUEUE_BATCH, in their order; *done says how many were: they are
** in the queue, the others are still the caller's. MPL_OK: all; MPL_BLOCK: the queue is full (w
** says what to wait for); MPL_CLOSED; MPL_NOMEM; MPL_TIMEOUT, MPL_SIGNAL, MPL_DAMAGED: the lock was
** not to be had.
*/
enum mpl_status mpl_queue_put(struct mpl_queue *q, const struct mpl_queue_item *items, int n,
                              int *done, struct mpl_wait *w, int64_t deadline) {
  enum mpl_status s;
  do {
    s = put_some(q, items, n, done, w, deadline);
  } while (s == MPL_NOMEM && *done == 0 && mpl_recover_all());
  return s;
}

/*
** Getting; all under the get lock
*/

/* In a section: goes to the segment in which the next record stands. The one left behind is then in
   hand, and returned; 0: none. */
static mpl_off tx_next_segment(struct mpl_queue *q, mpl_off *head, uint64_t *at) {
  if ((*word_at(*head, *at) & KIND_MASK) != NEXT) return 0;
  mpl_off left = *head;
  *head = MPL_AT(struct segment, left)->next;
  *at = sizeof(struct segment);
  mpl_tx_store(&q->head, *head);
  mpl_hand_put(mpl_self, left, MPL_HAND_BLOCK);
  return left;
}

/* In a section: the caller takes a message: into its hand, or as an item in progress if `mine`, its
   taker, is not NULL. */
static void tx_take_message(mpl_off message, struct mpl_taker *mine, struct mpl_queue_batch *out) {
  out->item[out->n++] = (struct mpl_queue_got){.message = message};
  if (mine == NULL)
    mpl_hand_put(mpl_self, message, MPL_HAND_MESSAGE);
  else
    mpl_queue_tx_take(mine, message);
}

/* In a section: takes the record at *at. False if there is no room for its bytes. */
static bool tx_take_record(mpl_off head, uint64_t *at, struct mpl_taker *mine,
                           struct mpl_queue_batch *out) {
  uint64_t word = *word_at(head, *at);
  if ((word & KIND_MASK) == MESSAGE) {
    tx_take_message(*word_at(head, *at + sizeof word), mine, out);
    *at += 2 * sizeof word;
    return true;
  }
  struct mpl_queue_got *item = &out->item[out->n];
  item->message = 0;
  item->at = out->used;
  item->size = (size_t)(word >> KIND_BITS);
  MPL_ASSERT(item->size <= MPL_QUEUE_INLINE);
  if (item->size > out->capacity - out->used) return false;
  memcpy(out->bytes + out->used, mpl_arena_at(head + *at + sizeof word, item->size), item->size);
  out->used += item->size;
  *at += sizeof word + padded(item->size);
  out->n++;
  return true;
}

static void tx_take_front(struct mpl_queue *q, struct mpl_taker *mine,
                          struct mpl_queue_batch *out) {
  mpl_off message = mpl_load64_rlx(&q->front);
  mpl_tx_store(&q->front, mpl_load64_rlx(&mpl_message_at(message)->next));
  mpl_tx_store(&q->front_count, mpl_load64_rlx(&q->front_count) - 1);
  tx_take_message(message, mine, out);
}

/* One section: items from the front, or from one segment, into the hand or as items in progress of
   `mine`. Returns the segment left behind, which is in hand; 0: none. */
static mpl_off take_some(struct mpl_queue *q, int max, struct mpl_taker *mine,
                         struct mpl_queue_batch *out) {
  int first = out->n, messages = 0;
  mpl_off left = 0;
  if (mpl_load64_rlx(&q->front) != 0) {
    tx_take_front(q, mine, out);
  } else {
    mpl_off head = mpl_load64_rlx(&q->head);
    uint64_t at = mpl_load64_rlx(&q->head_at);
    left = tx_next_segment(q, &head, &at);
    while (out->n < max && messages < MPL_QUEUE_MESSAGES) {
      uint64_t kind = *word_at(head, at) & KIND_MASK;
      if (kind == NEXT || !tx_take_record(head, &at, mine, out)) break;
      messages += kind == MESSAGE;
    }
    mpl_tx_store(&q->head_at, at);
  }
  uint64_t n = (uint64_t)(out->n - first);
  mpl_tx_publish(&q->got, mpl_load64_rlx(&q->got) + n);
  if (q->kind != 0 && mine == NULL) mpl_queue_tx_finished(q, n);
  mpl_tx_commit();
  return left;
}

/* Items that can be got; 0 with w filled if there is none. */
static uint64_t available(struct mpl_queue *q, struct mpl_wait *w) {
  uint64_t got = mpl_load64_rlx(&q->got);
  if (q->put_seen <= got) q->put_seen = mpl_load64_acq(&q->put);
  if (q->put_seen > got) return q->put_seen - got;
  w->kind = MPL_WAIT_ITEM;
  w->body = q;
  w->ec = &q->not_empty;
  w->stream = true;
  w->watch = &q->put;
  w->seen = q->put_seen;
  w->peer = mpl_load64_rlx(&q->putter);
  return 0;
}

/* The same for a queue that keeps account: what dead processes had taken is looked for if somebody
   was cleaned up after since the last time, and before waiting. Fills *mine if there is
   something. */
static enum mpl_status available_or_lost(struct mpl_queue *q, struct mpl_wait *w, uint64_t *n,
                                         struct mpl_taker **mine) {
  bool looked = mpl_queue_taken_look(q, false);
  *n = available(q, w);
  if (*n == 0 && !looked && mpl_queue_taken_look(q, true)) *n = available(q, w);
  if (*n > 0) return mpl_queue_taker(q, mine);
  mpl_queue_taken_watch(q, w);
  return MPL_OK;
}

/*
** Gets up to `max` items, at most MPL_QUEUE_BATCH, as far as their bytes have room in `out`: each
** is then the caller's alone, messages in its hand, or in progress if the queue keeps account.
** MPL_OK: at least one; MPL_BLOCK: there is none (w says what to wait for); MPL_CLOSED: none, and
** there will be none; MPL_TIMEOUT, MPL_SIGNAL, MPL_DAMAGED: the lock was not to be had. If the
** queue keeps account: MPL_NOMEM, MPL_NOPRIVATE, and nothing has been got.
*/
enum mpl_status mpl_queue_get(struct mpl_queue *q, int max, struct mpl_queue_batch *out,
                              struct mpl_wait *w, int64_t deadline) {
  out->n = 0;
  out->used = 0;
  if (max > MPL_QUEUE_BATCH) max = MPL_QUEUE_BATCH;
  enum mpl_status s = mpl_section_enter(&q->get_lock, deadline);
  if (s != MPL_OK) return s;
  /* Looked at before the items: one that was put before a shutdown is not overlooked. */
  uint64_t state = mpl_load64_acq(&q->state);
  uint64_t n = 0;
  struct mpl_taker *mine = NULL;
  if (q->kind != 0 && state != MPL_QUEUE_EMPTIED)
    s = available_or_lost(q, w, &n, &mine);
  else if (state != MPL_QUEUE_EMPTIED)
    n = available(q, w);
  mpl_off left = 0;
  if (s == MPL_OK && n > 0) {
    if (n < (uint64_t)max) max = (int)n;
    if (q->maxsize != 0) mpl_tx_wake(&q->not_full, (uint64_t)max);
    MPL_POINT();
    mpl_store64_rlx(&q->getter, mpl_slot_ident(mpl_self));
    left = take_some(q, max, mine, out);
  } else if (s == MPL_OK) {
    s = state == MPL_QUEUE_OPEN || mpl_queue_taken_may_return(q) ? MPL_BLOCK : MPL_CLOSED;
  }
  mpl_robust_unlock(&q->get_lock);
  mpl_tx_wake_flush();
  if (left != 0) mpl_heap_free(mpl_self, left);
  if (q->kind != 0) mpl_object_bury(); /* what went with items of the dead */
  return s;
}

/*
** The rest
*/

/* Gives a message that was got back: it is the next one to be got. It lies in the caller's hand.
   MPL_OK, or MPL_DAMAGED and it still does. */
enum mpl_status mpl_queue_unget(struct mpl_queue *q, mpl_off message) {
  enum mpl_status s = mpl_robust_lock(&q->get_lock);
  if (s == MPL_DAMAGED) return s;
  mpl_tx_wake(&q->not_empty, 1);
  MPL_POINT();
  mpl_store64_rlx(&mpl_message_at(message)->next, mpl_load64_rlx(&q->front));
  mpl_hand_take(mpl_self, message);
  mpl_tx_store(&q->front, message);
  mpl_tx_store(&q->front_count, mpl_load64_rlx(&q->front_count) + 1);
  mpl_tx_publish(&q->got, mpl_load64_rlx(&q->got) - 1);
  mpl_section_leave(&q->get_lock);
  return MPL_OK;
}

/* Drops all items that are in the queue now. */
static void drop_items(struct mpl_queue *q) {
  unsigned char bytes[MPL_QUEUE_INLINE];
  struct mpl_queue_batch batch = {.capacity = sizeof bytes, .bytes = bytes};
  struct mpl_wait w = MPL_WAIT_INIT;
  for (;;) {
    if (mpl_robust_lock(&q->get_lock) == MPL_DAMAGED) return;
    batch.n = 0;
    batch.used = 0;
    if (q->kind != 0) mpl_tx_wake(&q->all_finished, MPL_EC_ALL);
    mpl_off left = available(q, &w) > 0 ? take_some(q, 1, NULL, &batch) : 0;
    mpl_robust_unlock(&q->get_lock);
    mpl_tx_wake_flush();
    if (left != 0) mpl_heap_free(mpl_self, left);
    if (batch.n == 0) return;
    if (batch.item[0].message != 0) mpl_message_drop(mpl_self, batch.item[0].message);
  }
}

/* For every process: puts fail from now on, gets fail once the queue is empty, or at once if
   `immediate`, which also drops the items. MPL_OK, or MPL_SIGNAL, MPL_DAMAGED and it is as it
   was. */
enum mpl_status mpl_queue_shutdown(struct mpl_queue *q, bool immediate) {
  enum mpl_status s = mpl_section_enter(&q->put_lock, MPL_NEVER);
  if (s != MPL_OK) return s;
  uint64_t state = immediate ? MPL_QUEUE_EMPTIED : MPL_QUEUE_SHUT;
  mpl_tx_wake(&q->not_empty, MPL_EC_ALL);
  mpl_tx_wake(&q->not_full, MPL_EC_ALL);
  if (state > mpl_load64_rlx(&q->state)) mpl_tx_publish(&q->state, state);
  mpl_section_leave(&q->put_lock);
  if (immediate) {
    drop_items(q);
    mpl_object_bury();
  }
  return MPL_OK;
}

/* Whether a get would not wait: there is an item, or the queue was shut down. */
bool mpl_queue_is_ready(struct mpl_queue *q) {
  return mpl_queue_size(q) > 0 || mpl_load64_acq(&q->state) != MPL_QUEUE_OPEN;
}

/* Items that are in the queue; stale as soon as it is known. */
uint64_t mpl_queue_size(struct mpl_queue *q) {
  if (mpl_load64_acq(&q->state) == MPL_QUEUE_EMPTIED) return 0;
  uint64_t got = mpl_load64_acq(&q->got); /* first, so that the difference is not negative */
  uint64_t put = mpl_load64_acq(&q->put);
  return put - got;
}

/* A waiter gives up, and may have been woken for nothing: the next one is woken for it. */
void mpl_queue_pass_on(struct mpl_queue *q, bool getter) {
  struct mpl_ec *ec = getter ? &q->not_empty : &q->not_full;
  uint64_t size = mpl_queue_size(q);
  if ((getter ? size > 0 : size < q->maxsize) && mpl_ec_awaited(ec)) mpl_ec_wake(ec, 1);
}

/*
** What the object table needs
*/

static void dismantle(void *body) {
  struct mpl_queue *q = body;
  drop_items(q);
  mpl_queue_taken_dismantle(q);
  mpl_off last = mpl_load64_rlx(&q->head); /* the tail as well: a new tail comes with an item */
  if (last == 0) return;
  mpl_tx_store(&q->head, 0);
  mpl_hand_put(mpl_self, last, MPL_HAND_BLOCK);
  mpl_tx_commit();
  mpl_heap_free(mpl_self, last);
}

/* Follows the records from the head, as many as there must be, and must end at the tail. */
static bool walk(void *body, bool (*visit)(void *arg, mpl_off block),
                 bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_queue *q = body;
  uint64_t front = 0;
  mpl_off m = mpl_load64_rlx(&q->front);
  for (; m != 0; m = mpl_load64_rlx(&mpl_message_at(m)->next)) {
    if (!mpl_message_walk(m, visit, ref, arg)) return false;
    front++;
  }
  if (front != mpl_load64_rlx(&q->front_count)) return false;
  if (!mpl_queue_taken_walk(q, visit, ref, arg)) return false;
  uint64_t n = mpl_load64_rlx(&q->put) - mpl_load64_rlx(&q->got) - front;
  mpl_off s = mpl_load64_rlx(&q->head);
  uint64_t at = mpl_load64_rlx(&q->head_at);
  if (s != 0 && !visit(arg, s)) return false;
  while (n > 0) {
    uint64_t word = *word_at(s, at);
    if ((word & KIND_MASK) == NEXT) {
      s = MPL_AT(struct segment, s)->next;
      at = sizeof(struct segment);
      if (!visit(arg, s)) return false;
      continue;
    }
    if ((word & KIND_MASK) == MESSAGE && !mpl_message_walk(*word_at(s, at + 8), visit, ref, arg))
      return false;
    at += (word & KIND_MASK) == MESSAGE ? 16 : 8 + padded(word >> KIND_BITS);
    n--;
  }
  return s == mpl_load64_rlx(&q->tail) && (s == 0 || at == mpl_load64_rlx(&q->tail_at));
}

void mpl_queue_register(void) {
#define OPS(type) {.name = type, .dismantle = dismantle, .walk = walk}
  static const struct mpl_object_ops plain = OPS("Queue"), joinable = OPS("JoinableQueue"),
                                     simple = OPS("SimpleQueue");
#undef OPS
  mpl_object_register(MPL_TYPE_QUEUE, &plain);
  mpl_object_register(MPL_TYPE_JOINABLE_QUEUE, &joinable);
  mpl_object_register(MPL_TYPE_SIMPLE_QUEUE, &simple);
}

struct plan {
  uint64_t maxsize, kind;
};

static enum mpl_status init(void *body, const void *arg) {
  const struct plan *plan = arg;
  struct mpl_queue *q = body;
  q->maxsize = plan->maxsize;
  q->kind = plan->kind;
  mpl_store64_rlx(&q->tail_at, sizeof(struct segment));
  mpl_store64_rlx(&q->head_at, sizeof(struct segment));
  enum mpl_status s = mpl_robust_init(&q->put_lock, MPL_RANK_STRUCTURE);
  return s == MPL_OK ? mpl_robust_init(&q->get_lock, MPL_RANK_STRUCTURE) : s;
}

/* An empty queue of one of the three types, to which the caller holds a reference; maxsize 0: no
   limit. MPL_NOMEM, MPL_NOPRIVATE, MPL_ERRNO. */
enum mpl_status mpl_queue_new_as(enum mpl_object_type type, uint64_t maxsize, uint64_t kind,
                                 uint64_t *id) {
  struct plan plan = {.maxsize = maxsize, .kind = kind};
  return mpl_object_new(type, sizeof(struct mpl_queue), init, &plan, id);
}

/* A plain one. */
enum mpl_status mpl_queue_new(uint64_t maxsize, uint64_t *id) {
  return mpl_queue_new_as(MPL_TYPE_QUEUE, maxsize, 0, id);
}
