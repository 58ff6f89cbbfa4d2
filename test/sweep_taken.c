/*
** The crash sweep of queues that keep account of their items: see crash.h.
*/
/* Level 2 for one in so many first deaths; CFLAGS=-DCRASH_SAMPLED=1 sweeps all of it. */
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 6
#endif

#include "crash.h"
#include "takers.h"

#define ITEMS 3
#define LOST 2 /* of them, with a dead process */

static struct {
  uint64_t id;
  struct mpl_queue *queue;
  uint64_t lock; /* to which all items refer but the first, which has one of its own */
  uint64_t letters; /* a queue with a message that refers to the first one */
  mpl_off taken[2];
  struct world_sleeper sleeper;
} s;

static void new_queue(uint64_t kind) {
  s.queue = takers_new(kind, &s.id);
  CHECK(mpl_lock_new(&s.lock) == MPL_OK);
}

static void release(void) {
  mpl_reflist_release(s.id);
  mpl_reflist_release(s.lock);
}

static void setup_kind(uint64_t kind) {
  new_queue(kind);
  takers_put(s.queue, 0);
  for (uint64_t i = 1; i < ITEMS; i++) takers_put_with(s.queue, i, s.lock);
}

static void setup_items(void) {
  setup_kind(MPL_QUEUE_JOINABLE | MPL_QUEUE_REQUEUE);
}

/* The items from number `first` on come once more, in their order, and can be finished. */
static void drain(uint64_t first) {
  CHECK(takers_unfinished(s.queue) == ITEMS - first);
  for (uint64_t i = first; i < ITEMS; i++) {
    mpl_off message = takers_take(s.queue);
    CHECK(takers_number_of(message) == i);
    mpl_queue_taken_decoded(message);
    WORLD_WHOLE();
    CHECK(mpl_queue_taken_done(s.queue) == MPL_OK);
  }
  CHECK(mpl_queue_size(s.queue) == 0 && takers_join(s.queue, 0) == MPL_OK);
  CHECK(mpl_queue_taken_done(s.queue) == MPL_MISUSE);
  release();
}

static void verify_none_finished(bool finished) {
  (void)finished;
  drain(0);
}

static void get_one(void) {
  mpl_queue_taken_decoded(takers_take(s.queue));
}

static void get_all(void) {
  CHECK(world_get(s.queue, MPL_QUEUE_BATCH, &takers_got, 0) == MPL_OK);
  CHECK(takers_got.batch.n == ITEMS);
}

static void task_done(void) {
  CHECK(mpl_queue_taken_done(s.queue) == MPL_OK);
}

static void verify_one_finished(bool finished) {
  uint64_t n = mpl_load64_rlx(&s.queue->finished);
  CHECK(n <= 1 && (n == 1 || !finished));
  drain(n);
}

/* The last item: who waits for all is told. */
static void setup_last(void) {
  setup_items();
  for (uint64_t i = 0; i + 1 < ITEMS; i++) {
    takers_take_number(s.queue, i, 1);
    task_done();
  }
  world_sleep_on(&s.queue->all_finished, &s.sleeper);
}

static void verify_last(bool finished) {
  CHECK(takers_unfinished(s.queue) == 0 ? world_woken(&s.sleeper) : !finished);
  drain(ITEMS - takers_unfinished(s.queue));
}

/* Items of the survivor, which another process finishes. */
static void setup_taken(void) {
  setup_items();
  takers_take_number(s.queue, 0, 1);
}

static void verify_other_finished(bool finished) {
  uint64_t n = mpl_load64_rlx(&s.queue->finished);
  CHECK(n <= 1 && (n == 1 || !finished));
  mpl_queue_taken_leave(false);
  drain(n);
}

/* Items are a dead process's. */
static void setup_bereaved(void) {
  setup_items();
  takers_bereave(s.queue, LOST, true);
  world_sleep_on(&s.queue->not_empty, &s.sleeper);
}

static void setup_all_bereaved(void) {
  setup_items();
  takers_bereave(s.queue, ITEMS, false);
  world_sleep_on(&s.queue->not_empty, &s.sleeper);
}

static void verify_requeued(bool finished) {
  (void)finished;
  if (mpl_load64_rlx(&s.queue->front_count) > 0) CHECK(world_woken(&s.sleeper));
  drain(0);
}

static void refresh(void) {
  mpl_queue_taken_refresh(s.queue);
}

static void join_or_not(void) {
  enum mpl_status joined = takers_join(s.queue, 0);
  CHECK(joined == MPL_OK || joined == MPL_TIMEOUT);
}

static void setup_drop(void) {
  setup_kind(MPL_QUEUE_JOINABLE);
  takers_bereave(s.queue, LOST, true);
}

static void verify_dropped(bool finished) {
  CHECK(mpl_load64_rlx(&s.queue->finished) == LOST || !finished);
  CHECK(takers_join(s.queue, 0) == MPL_TIMEOUT);
  drain(LOST);
}

static void setup_all_dropped(void) {
  setup_kind(MPL_QUEUE_JOINABLE);
  takers_bereave(s.queue, ITEMS, true);
  world_sleep_on(&s.queue->all_finished, &s.sleeper);
}

static void verify_all_dropped(bool finished) {
  (void)finished;
  if (takers_unfinished(s.queue) == 0) CHECK(world_woken(&s.sleeper));
  CHECK(takers_join(s.queue, 0) == MPL_OK);
  drain(ITEMS);
}

static void prepare_decoding(void) {
  takers_take_number(s.queue, 0, 1);
  for (int i = 0; i < 2; i++) s.taken[i] = takers_take(s.queue);
}

static void give_back(void) {
  for (int i = 1; i >= 0; i--) mpl_queue_taken_return(s.queue, s.taken[i]);
}

static void prepare_discard(void) {
  s.taken[0] = takers_take(s.queue);
}

static void discard(void) {
  mpl_queue_taken_discard(s.queue, s.taken[0]);
}

static void shut(void) {
  CHECK(mpl_queue_shutdown(s.queue, true) == MPL_OK);
}

/* What is in the queue is dropped and finished; what was taken by the victim is, too, as it is
   dead. */
static void verify_shut(bool finished) {
  bool closed = mpl_load64_rlx(&s.queue->state) == MPL_QUEUE_EMPTIED;
  CHECK(closed || !finished);
  if (!closed) {
    drain(0);
    return;
  }
  CHECK(mpl_queue_shutdown(s.queue, true) == MPL_OK);
  CHECK(takers_join(s.queue, 0) == MPL_OK && world_get(s.queue, 1, &takers_got, 0) == MPL_CLOSED);
  release();
}

/* A queue with items in it, in progress of a dead process and of the victim, who has all that
   refers to it: a message. */
static void setup_sent(void) {
  mpl_off message;
  setup_bereaved();
  CHECK(mpl_queue_new(0, &s.letters) == MPL_OK && mpl_message_new(0, 1, &message) == MPL_OK);
  CHECK(mpl_message_add_ref(message, s.id) == MPL_OK);
  CHECK(world_put_message(world_queue(s.letters), message) == MPL_OK);
  mpl_reflist_release(s.id);
}

static void prepare_sent(void) {
  CHECK(world_get(world_queue(s.letters), 1, &takers_got, 0) == MPL_OK);
  s.taken[0] = takers_got.batch.item[0].message;
  takers_take_number(s.queue, 0, 2);
}

static void drop(void) {
  mpl_message_drop(mpl_self, s.taken[0]);
  mpl_object_bury();
}

static void verify_gone(bool finished) {
  (void)finished;
  CHECK(mpl_object_body(s.id, MPL_TYPE_JOINABLE_QUEUE) == NULL);
  mpl_reflist_release(s.letters);
  mpl_reflist_release(s.lock);
}

static void setup_automatic(void) {
  setup_kind(MPL_QUEUE_REQUEUE);
}

static void prepare_take_two(void) {
  takers_take_number(s.queue, 0, 1);
  takers_take_number(s.queue, 1, 1);
}

static void ask(void) {
  mpl_queue_taken_next(s.queue);
}

static void leave(void) {
  mpl_queue_taken_leave(true);
}

static void verify_asked(bool finished) {
  uint64_t n = mpl_load64_rlx(&s.queue->finished);
  CHECK(n <= 2 && (n == 2 || !finished));
  drain(n);
}

static void leave_unfinished(void) {
  mpl_queue_taken_leave(false);
}

/* Put by the victim, dropped by the survivor. */
static void setup_empty(void) {
  new_queue(MPL_QUEUE_JOINABLE | MPL_QUEUE_REQUEUE);
}

static void put_one(void) {
  takers_put_with(s.queue, 0, s.lock);
}

static void verify_put(bool finished) {
  CHECK(mpl_queue_size(s.queue) == takers_unfinished(s.queue) && takers_unfinished(s.queue) <= 1);
  CHECK(takers_unfinished(s.queue) == 1 || !finished);
  if (takers_unfinished(s.queue) == 1) {
    takers_take_number(s.queue, 0, 1);
    task_done();
  }
  CHECK(takers_join(s.queue, 0) == MPL_OK);
  release();
}

static const struct crash_op ops[] = {
    {.name = "put", .setup = setup_empty, .operate = put_one, .verify = verify_put},
    {.name = "first get", .setup = setup_items, .operate = get_one, .verify = verify_none_finished},
    {.name = "second get", .setup = setup_items, .prepare = get_one, .operate = get_one,
     .verify = verify_none_finished},
    {.name = "get many", .setup = setup_items, .operate = get_all, .verify = verify_none_finished},
    {.name = "task_done", .setup = setup_items, .prepare = get_one, .operate = task_done,
     .verify = verify_one_finished},
    {.name = "last task_done", .setup = setup_last, .prepare = get_one, .operate = task_done,
     .verify = verify_last},
    {.name = "task_done for another", .setup = setup_taken, .operate = task_done,
     .verify = verify_other_finished},
    {.name = "get what a dead had", .setup = setup_bereaved, .operate = get_one,
     .verify = verify_requeued},
    {.name = "get, death unnoticed", .setup = setup_all_bereaved, .operate = get_one,
     .verify = verify_requeued, .alone = true},
    {.name = "requeue", .setup = setup_bereaved, .operate = refresh, .verify = verify_requeued},
    {.name = "join, requeue", .setup = setup_bereaved, .operate = join_or_not,
     .verify = verify_requeued},
    {.name = "join, drop", .setup = setup_drop, .operate = join_or_not, .verify = verify_dropped},
    {.name = "join, drop all", .setup = setup_all_dropped, .operate = join_or_not,
     .verify = verify_all_dropped},
    {.name = "return", .setup = setup_items, .prepare = prepare_decoding, .operate = give_back,
     .verify = verify_none_finished},
    {.name = "discard", .setup = setup_items, .prepare = prepare_discard, .operate = discard,
     .verify = verify_one_finished},
    {.name = "immediate shutdown", .setup = setup_bereaved, .prepare = get_one, .operate = shut,
     .verify = verify_shut},
    {.name = "dismantle", .setup = setup_sent, .prepare = prepare_sent, .operate = drop,
     .verify = verify_gone},
    {.name = "ask for the next", .setup = setup_automatic, .prepare = prepare_take_two,
     .operate = ask, .verify = verify_asked},
    {.name = "leave", .setup = setup_automatic, .prepare = prepare_take_two, .operate = leave,
     .verify = verify_asked},
    {.name = "leave, unfinished", .setup = setup_items, .prepare = prepare_take_two,
     .operate = leave_unfinished, .verify = verify_none_finished},
};

int main(int argc, char **argv) {
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
