/*
** What the processes of the torture do with queues: put and get items (torture_items.h) of all
** sizes, one or many, with references to other objects or without, give them back, and shut queues
** down.
*/
#ifndef MPL_TEST_TORTURE_QUEUES_H
#define MPL_TEST_TORTURE_QUEUES_H

#include "torture_cells.h"
#include "torture_items.h"

#define QUEUES_LONGEST 3000 /* items in a queue, about */
#define QUEUES_MESSAGES 8   /* in one batch: they lie in the hand */
#define QUEUES_REFS 5

static struct world_batch queues_got;

static enum mpl_status queues_make(uint64_t *id) {
  static const uint64_t maxsize[] = {0, 0, 1, 8, 200};
  enum mpl_status s = mpl_queue_new(maxsize[draw(sizeof maxsize / sizeof *maxsize)], id);
  if (s != MPL_OK) return s;
  struct ledger_queue *q = &ledger->queue[ledger_index(*id)];
  q->lost = 0;
  mpl_store64_rel(&q->deaths, 0);
  mpl_store64_rel(&q->recorded, 0);
  mpl_store64_rel(&q->serial, 1 + mpl_add64_ar(&ledger->serials, 1));
  return MPL_OK;
}

struct queues_batch {
  int n, messages;
  uint64_t first; /* number of the first item */
  struct item_head head[MPL_QUEUE_BATCH];
  struct mpl_piece piece[MPL_QUEUE_BATCH][2];
  struct mpl_queue_item item[MPL_QUEUE_BATCH];
  unsigned char bytes[MPL_QUEUE_BATCH][MPL_QUEUE_INLINE];
};

static bool queues_memory_is_low(void) {
  struct mpl_heap_info info;
  mpl_heap_info(&info);
  return info.used > info.cap / 2;
}

/* Words of an item: small, up to what is put inline, at that limit, larger, and now and then
   megabytes. */
static uint64_t queues_draw_words(void) {
  uint64_t kind = draw(1000);
  if (kind < 600) return draw(20);
  if (kind < 850) return draw(ITEM_INLINE_WORDS + 1);
  if (kind < 900) return ITEM_INLINE_WORDS + draw(2);
  if (kind < 999 || queues_memory_is_low()) return draw(2000);
  return draw(400000);
}

/* Item i of the batch as a message; false for lack of memory. */
static bool queues_build_message(struct queues_batch *b, int i) {
  mpl_off message;
  struct item_head *head = &b->head[i];
  enum mpl_status s = mpl_message_new(items_size(head->words), head->refs, &message);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s != MPL_OK) return false;
  items_write(mpl_message_data(message), head);
  for (uint64_t r = 0; r < head->refs; r++)
    CHECK(mpl_message_add_ref(message, cells_pick(MPL_TYPE_NONE)) == MPL_OK);
  b->item[i] = (struct mpl_queue_item){.message = message};
  return true;
}

static void queues_build_inline(struct queues_batch *b, int i) {
  size_t size = items_size(b->head[i].words), half = size / 2;
  items_write(b->bytes[i], &b->head[i]);
  b->piece[i][0] = (struct mpl_piece){b->bytes[i], half};
  b->piece[i][1] = (struct mpl_piece){b->bytes[i] + half, size - half};
  b->item[i] = (struct mpl_queue_item){.pieces = b->piece[i], .npieces = 2, .size = size};
}

/* Makes up to n items, with references or not, which the caller then puts. */
static void queues_build(struct queues_batch *b, uint64_t serial, int n, bool refs) {
  b->n = b->messages = 0;
  b->first = items_offer(serial, (uint64_t)n);
  if (b->first == UINT64_MAX) return;
  for (int i = 0; i < n; i++, b->n++) {
    struct item_head *head = &b->head[i];
    *head = (struct item_head){.number = b->first + (uint64_t)i, .producer = items_producer,
                               .serial = serial, .words = queues_draw_words()};
    if (refs) head->refs = 1 + draw(QUEUES_REFS);
    if (head->refs == 0 && head->words <= ITEM_INLINE_WORDS)
      queues_build_inline(b, i);
    else if (b->messages++ == QUEUES_MESSAGES || !queues_build_message(b, i))
      break;
  }
  items_settle(b->first + (uint64_t)b->n, n - b->n, 0);
}

static void queues_put_items(uint64_t id, int n, bool refs) {
  static struct queues_batch b;
  struct mpl_queue *q = world_queue(id);
  int done = 0;
  if (mpl_queue_size(q) > QUEUES_LONGEST) return;
  queues_build(&b, ledger_look(&ledger->queue[ledger_index(id)].serial), n, refs);
  if (b.n == 0) return;
  enum mpl_status s = world_put_items(q, b.item, b.n, &done, draw_deadline());
  CHECK(s == MPL_OK ? done == b.n : s == MPL_TIMEOUT || s == MPL_CLOSED || s == MPL_NOMEM);
  items_settle(b.first, b.n, done);
  if (s != MPL_OK) mpl_queue_pass_on(q, false);
  for (int i = done; i < b.n; i++)
    if (b.item[i].message != 0) mpl_message_drop(mpl_self, b.item[i].message);
  mpl_object_bury();
}

static void queues_put(uint64_t id) {
  queues_put_items(id, 1, false);
}

static void queues_put_many(uint64_t id) {
  queues_put_items(id, 1 + (int)draw(MPL_QUEUE_BATCH), false);
}

/* Any object goes on a journey, also the queue in itself: a circle that counting does not break. */
static void queues_send(uint64_t id) {
  queues_put_items(id, 1 + (int)draw(4), true);
}

/* What came with a message is kept, now and then. */
static void queues_open_message(mpl_off message) {
  struct mpl_message *m = mpl_message_at(message);
  for (uint64_t r = 0; r < mpl_load64_rlx(&m->nrefs); r++)
    if (draw(3) == 0) cells_fetch(mpl_load64_rlx(&m->ref[r]));
}

static void queues_give_back(struct mpl_queue *q, mpl_off message, struct ledger_queue *record) {
  items_unrecord(message, record);
  CHECK(mpl_queue_unget(q, message) == MPL_OK);
}

static void queues_get_items(uint64_t id, int max) {
  struct mpl_queue *q = world_queue(id);
  struct ledger_queue *record = &ledger->queue[ledger_index(id)];
  bool unget = draw(8) == 0;
  ledger_taking(id);
  enum mpl_status s = world_get(q, max, &queues_got, draw_deadline());
  CHECK(s == MPL_OK || s == MPL_TIMEOUT || s == MPL_CLOSED);
  if (s != MPL_OK) mpl_queue_pass_on(q, true);
  CHECK(s != MPL_OK || (queues_got.batch.n > 0 && queues_got.batch.n <= max));
  int n = s == MPL_OK ? queues_got.batch.n : 0;
  for (int i = 0; i < n; i++) items_record(&queues_got, i, record);
  for (int i = n - 1; i >= 0; i--) {
    mpl_off message = queues_got.batch.item[i].message;
    if (message == 0) continue;
    queues_open_message(message);
    if (unget) queues_give_back(q, message, record);
    else mpl_message_drop(mpl_self, message);
  }
  ledger_took();
  mpl_add64_ar(&ledger->got, (uint64_t)n);
  mpl_object_bury();
}

static void queues_get(uint64_t id) {
  queues_get_items(id, 1);
}

static void queues_get_many(uint64_t id) {
  queues_get_items(id, 1 + (int)draw(MPL_QUEUE_BATCH));
}

static void queues_shutdown(uint64_t id) {
  bool immediate = draw(2) == 0;
  if (cells_is_root(id)) return;
  while (mpl_queue_shutdown(world_queue(id), immediate) == MPL_SIGNAL)
    mpl_signal_take(MPL_SIGNAL_CHILD);
  mpl_object_bury();
}

#endif
