/*
** What the torture puts into queues. An item says who put it, into which queue, and its number,
** which no other item has; the rest of it follows from that and is looked at byte for byte, so that
** no item can come torn. Its entry in the ledger says what has become of it:
**
**   OFFERED   a producer is about to put it, or died while it did
**   ACCEPTED  its put has returned, and it was put
**   REFUSED   its put has returned, and it was not
**   GOT       somebody has it or had it
**   RETURNED  somebody gave it back, some time: it may come out of order
**   SEEN      found in its queue at the present quiescent point
**   LOST      was not in its queue at a quiescent point, and nobody had recorded it
**
** Whoever gets an item sets GOT and must not find GOT, REFUSED or LOST set already.
*/
#ifndef MPL_TEST_TORTURE_ITEMS_H
#define MPL_TEST_TORTURE_ITEMS_H

#include "torture_ledger.h"

enum {
  ITEM_OFFERED = 1, ITEM_ACCEPTED = 2, ITEM_REFUSED = 4, ITEM_GOT = 8, ITEM_RETURNED = 16,
  ITEM_SEEN = 32, ITEM_LOST = 64
};

struct item_head {
  uint64_t number, producer, serial;
  uint64_t words; /* of the filling, between this and the last word */
  uint64_t refs;  /* references of the message that it is; 0 for inline items */
};

#define ITEM_LEAST (sizeof(struct item_head) + sizeof(uint64_t))
#define ITEM_INLINE_WORDS ((MPL_QUEUE_INLINE - ITEM_LEAST) / sizeof(uint64_t))

static uint64_t items_producer; /* the caller's number as a producer */

static inline size_t items_size(uint64_t words) {
  return ITEM_LEAST + words * sizeof(uint64_t);
}

static inline uint64_t items_last_word(const struct item_head *head) {
  return ledger_mix(ledger_mix(head->number, head->producer), ledger_mix(head->words, head->refs));
}

static inline void items_write(unsigned char *to, const struct item_head *head) {
  memcpy(to, head, sizeof *head);
  to += sizeof *head;
  for (uint64_t i = 0, word; i < head->words; i++, to += sizeof word) {
    word = (head->number << 32) + i;
    memcpy(to, &word, sizeof word);
  }
  uint64_t last = items_last_word(head);
  memcpy(to, &last, sizeof last);
}

/* Looks at all of an item's bytes and returns its head. */
static inline struct item_head items_read(const unsigned char *bytes, size_t size) {
  struct item_head head;
  CHECK(size >= ITEM_LEAST);
  memcpy(&head, bytes, sizeof head);
  CHECK(head.words <= size / sizeof(uint64_t) && items_size(head.words) == size);
  bytes += sizeof head;
  uint64_t word, wrong = 0;
  for (uint64_t i = 0; i < head.words; i++, bytes += sizeof word) {
    memcpy(&word, bytes, sizeof word);
    wrong |= word ^ ((head.number << 32) + i);
  }
  memcpy(&word, bytes, sizeof word);
  CHECK(wrong == 0 && word == items_last_word(&head));
  return head;
}

static inline struct item_head items_read_got(const struct world_batch *got, int i) {
  const struct mpl_queue_got *item = &got->batch.item[i];
  if (item->message == 0) {
    struct item_head head = items_read(got->bytes + item->at, item->size);
    CHECK(head.refs == 0);
    return head;
  }
  struct mpl_message *m = mpl_message_at(item->message);
  struct item_head head = items_read(mpl_message_data(item->message), m->size);
  CHECK(mpl_load64_rlx(&m->nrefs) == head.refs);
  for (uint64_t r = 0; r < head.refs; r++)
    CHECK(mpl_object_type_of(mpl_load64_rlx(&m->ref[r])) != MPL_TYPE_NONE);
  return head;
}

/*
** Entries: number (its low 32 bits), serial of the queue (24), flags (8).
*/

static inline uint64_t items_entry_of(uint64_t number, uint64_t serial) {
  return number << 32 | (serial & 0xffffff) << 8;
}

static inline mpl_a64 *items_entry(uint64_t number) {
  return &ledger->item[number % LEDGER_ITEMS];
}

/* Sets a flag and returns which were set before. The entry is that of the very item. */
static inline uint64_t items_flag(const struct item_head *head, uint64_t flag) {
  uint64_t before = mpl_or64_ar(items_entry(head->number), flag);
  CHECK((before & ~(uint64_t)255) == items_entry_of(head->number, head->serial));
  return before & 255;
}

/* Numbers for n items that the caller is about to put; returns the first. UINT64_MAX: not before
   the next quiescent point, the ledger is full. */
static inline uint64_t items_offer(uint64_t serial, uint64_t n) {
  if (ledger_look(&ledger->next_item) - ledger_look(&ledger->floor) > LEDGER_ITEMS / 2)
    return UINT64_MAX;
  uint64_t first = mpl_add64_ar(&ledger->next_item, n);
  for (uint64_t i = first; i < first + n; i++)
    mpl_store64_rel(items_entry(i), items_entry_of(i, serial) | ITEM_OFFERED);
  return first;
}

/* The put of n items has returned: the first `done` are in the queue. */
static inline void items_settle(uint64_t first, int n, int done) {
  for (int i = 0; i < n; i++)
    mpl_or64_ar(items_entry(first + (uint64_t)i), i < done ? ITEM_ACCEPTED : ITEM_REFUSED);
  mpl_add64_ar(&ledger->accepted, (uint64_t)done);
}

/*
** Order: who gets two items that one producer put into one queue gets the earlier one first. What a
** process remembers of that has limits; what it forgets is not looked at.
*/

#define ITEM_MEMORY 512

static inline void items_in_order(const struct item_head *head) {
  static struct { uint64_t producer, serial, number; } memory[ITEM_MEMORY];
  uint64_t place = ledger_mix(head->producer, head->serial) % ITEM_MEMORY;
  if (memory[place].producer == head->producer && memory[place].serial == head->serial)
    CHECK(head->number > memory[place].number);
  memory[place].producer = head->producer;
  memory[place].serial = head->serial;
  memory[place].number = head->number;
}

/* Records that the caller has got an item of the queue. */
static inline struct item_head items_record(const struct world_batch *got, int i,
                                            struct ledger_queue *q) {
  struct item_head head = items_read_got(got, i);
  CHECK(head.serial == ledger_look(&q->serial));
  uint64_t before = items_flag(&head, ITEM_GOT);
  CHECK((before & ITEM_OFFERED) != 0 && (before & (ITEM_GOT | ITEM_REFUSED | ITEM_LOST)) == 0);
  if ((before & ITEM_RETURNED) == 0) items_in_order(&head);
  mpl_add64_ar(&q->recorded, 1);
  return head;
}

/* Takes that back: the caller is about to give the item back to its queue. */
static inline void items_unrecord(mpl_off message, struct ledger_queue *q) {
  struct item_head head =
      items_read(mpl_message_data(message), mpl_message_at(message)->size);
  CHECK((items_flag(&head, ITEM_RETURNED) & ITEM_GOT) != 0);
  mpl_and64_ar(items_entry(head.number), ~(uint64_t)ITEM_GOT);
  mpl_add64_ar(&q->recorded, UINT64_MAX);
}

#endif
