/*
** Queues that keep account of their items: taking, finishing, joining, what becomes of the items of
** the dead; each operation killed at each of its crash points, and workers killed at random.
*/
#include <sys/mman.h>

#include "crash_trial.h"
#include "ds/queue_tasks.h"

#define ITEMS 5

static uint64_t queue_id;
static struct mpl_queue *queue;
static struct world_batch got;
static struct world_sum start;
static mpl_off taken[ITEMS];

/*
** The queue's calls
*/

static void new_queue(uint64_t kind) {
  enum mpl_object_type type =
      (kind & MPL_QUEUE_JOINABLE) != 0 ? MPL_TYPE_JOINABLE_QUEUE : MPL_TYPE_QUEUE;
  CHECK(mpl_queue_new_as(type, 0, kind, &queue_id) == MPL_OK);
  queue = mpl_object_body(queue_id, type);
  CHECK(queue != NULL);
}

static void release_queue(void) {
  mpl_reflist_release(queue_id);
}

/* A number, as the message that this kind of queue wants, with a reference to an object of its own.
   */
static void put(uint64_t number) {
  mpl_off message;
  uint64_t id;
  CHECK(mpl_message_new(sizeof number, 1, &message) == MPL_OK);
  memcpy(mpl_message_data(message), &number, sizeof number);
  CHECK(mpl_lock_new(&id) == MPL_OK && mpl_message_add_ref(message, id) == MPL_OK);
  mpl_reflist_release(id);
  CHECK(world_put_message(queue, message) == MPL_OK);
}

static uint64_t number_of(mpl_off message) {
  uint64_t number;
  CHECK(mpl_message_at(message)->size == sizeof number);
  memcpy(&number, mpl_message_data(message), sizeof number);
  CHECK(mpl_object_type_of(mpl_load64_rlx(&mpl_message_at(message)->ref[0])) == MPL_TYPE_LOCK);
  return number;
}

/* Takes an item and begins to decode it. */
static mpl_off take(void) {
  CHECK(world_get(queue, 1, &got, world_deadline()) == MPL_OK && got.batch.n == 1);
  CHECK(got.batch.item[0].message != 0);
  return got.batch.item[0].message;
}

/* Takes an item and decodes it. It must be this one. */
static void take_number(uint64_t number, uint64_t attempt) {
  mpl_off message = take();
  CHECK(number_of(message) == number && mpl_queue_task_attempt(message) == attempt);
  mpl_queue_task_decoded(message);
}

static enum mpl_status join(int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  while ((s = mpl_queue_join_try(queue, &w, deadline)) == MPL_BLOCK &&
         (s = world_step(&w, deadline)) == MPL_OK) {}
  mpl_wait_done(&w);
  return s;
}

static uint64_t unfinished(void) {
  return mpl_load64_rlx(&queue->put) - mpl_load64_rlx(&queue->finished);
}

/*
** One process
*/

#define CROWD_ITEMS 2000

static void make_locks(void *arg) {
  uint64_t id;
  (void)arg;
  for (int i = 0; i < CROWD_ITEMS + 100; i++) CHECK(mpl_lock_new(&id) == MPL_OK);
}

static void begin(uint64_t kind) {
  uint64_t keeper;
  world_make();
  CHECK(mpl_lock_new(&keeper) == MPL_OK);
  CHECK(world_join(world_start(make_locks, NULL)) == 0); /* the object table grows */
  start = world_sum();
  new_queue(kind);
}

static void end(void) {
  WORLD_WHOLE();
  release_queue();
  WORLD_WHOLE();
  WORLD_SAME(start);
}

static void begin_joinable(void) {
  begin(MPL_QUEUE_JOINABLE | MPL_QUEUE_REQUEUE);
}

static void counting(void) {
  begin_joinable();
  CHECK(join(0) == MPL_OK && mpl_queue_task_done(queue) == MPL_MISUSE);
  for (uint64_t i = 0; i < 100; i++) put(i);
  CHECK(join(0) == MPL_TIMEOUT && mpl_queue_task_done(queue) == MPL_MISUSE);
  for (uint64_t i = 0; i < 100; i++) {
    take_number(i, 1);
    WORLD_WHOLE();
    CHECK(join(0) == MPL_TIMEOUT && unfinished() == 100 - i);
    CHECK(mpl_queue_task_done(queue) == MPL_OK && mpl_queue_task_done(queue) == MPL_MISUSE);
  }
  CHECK(join(0) == MPL_OK && unfinished() == 0);
  end();
}

/* Finished in the order in which they were taken; what is being decoded is not finished. */
static void oldest_first(void) {
  begin_joinable();
  for (uint64_t i = 0; i < 3; i++) put(i);
  mpl_off message[3];
  for (int i = 0; i < 3; i++) message[i] = take();
  CHECK(mpl_queue_task_done(queue) == MPL_MISUSE);
  mpl_queue_task_decoded(message[1]);
  CHECK(mpl_queue_task_done(queue) == MPL_OK && mpl_queue_task_done(queue) == MPL_MISUSE);
  CHECK(number_of(message[0]) == 0 && number_of(message[2]) == 2);
  mpl_queue_task_decoded(message[2]);
  mpl_queue_task_decoded(message[0]);
  CHECK(mpl_queue_task_done(queue) == MPL_OK && number_of(message[2]) == 2);
  CHECK(mpl_queue_task_done(queue) == MPL_OK && join(0) == MPL_OK);
  end();
}

static void batches(void) {
  begin_joinable();
  for (uint64_t i = 0; i < 100; i++) put(i);
  for (uint64_t i = 0; i < 100;) {
    CHECK(world_get(queue, MPL_QUEUE_BATCH, &got, 0) == MPL_OK);
    for (int k = 0; k < got.batch.n; k++, i++) {
      CHECK(number_of(got.batch.item[k].message) == i);
      mpl_queue_task_decoded(got.batch.item[k].message);
    }
    WORLD_WHOLE();
  }
  for (uint64_t i = 0; i < 100; i++) CHECK(mpl_queue_task_done(queue) == MPL_OK);
  CHECK(join(0) == MPL_OK);
  end();
}

/* What could not be decoded comes again as if for the first time, or is finished. */
static void undecodable(void) {
  begin_joinable();
  for (uint64_t i = 0; i < 4; i++) put(i);
  take_number(0, 1);
  mpl_off one = take(), two = take();
  mpl_queue_task_return(queue, two);
  mpl_queue_task_return(queue, one);
  WORLD_WHOLE();
  CHECK(mpl_queue_size(queue) == 3);
  take_number(1, 1);
  mpl_queue_task_discard(queue, take());
  WORLD_WHOLE();
  CHECK(unfinished() == 3);
  take_number(3, 1);
  for (int i = 0; i < 3; i++) CHECK(mpl_queue_task_done(queue) == MPL_OK);
  CHECK(join(0) == MPL_OK);
  end();
}

/* In a queue that is not joinable an item is finished when its taker asks for the next one. */
static void finished_by_asking(void) {
  begin(MPL_QUEUE_REQUEUE);
  for (uint64_t i = 0; i < 4; i++) put(i);
  take_number(0, 1);
  mpl_off message = take();
  mpl_queue_tasks_next(queue);
  CHECK(unfinished() == 3); /* but not what is being decoded */
  mpl_queue_task_decoded(message);
  mpl_queue_tasks_next(queue);
  CHECK(unfinished() == 2);
  take_number(2, 1);
  CHECK(mpl_queue_task_done(queue) == MPL_OK && mpl_queue_task_done(queue) == MPL_MISUSE);
  take_number(3, 1);
  mpl_queue_tasks_leave(true);
  CHECK(unfinished() == 0);
  put(4);
  take_number(4, 1);
  mpl_queue_tasks_leave(false);
  take_number(4, 2);
  end();
}

static void shutting_down(void) {
  begin_joinable();
  for (uint64_t i = 0; i < 4; i++) put(i);
  take_number(0, 1);
  CHECK(mpl_queue_shutdown(queue, false) == MPL_OK);
  take_number(1, 1);
  CHECK(mpl_queue_shutdown(queue, true) == MPL_OK);
  CHECK(world_get(queue, 1, &got, 0) == MPL_CLOSED && unfinished() == 2 && join(0) == MPL_TIMEOUT);
  WORLD_WHOLE();
  CHECK(mpl_queue_task_done(queue) == MPL_OK && mpl_queue_task_done(queue) == MPL_OK);
  CHECK(join(0) == MPL_OK);
  end();
}

/* A queue whose items have filled all memory can be emptied. */
static void out_of_memory(void) {
  setenv("MPL_SHM_SIZE", "1M", 1);
  begin_joinable();
  mpl_off message, rest;
  uint64_t n = 0;
  while (mpl_message_new(2000, 0, &message) == MPL_OK) {
    CHECK(world_put_message(queue, message) == MPL_OK);
    n++;
  }
  uint64_t size = 1000;
  while (size > 0)
    if (mpl_heap_alloc(size, &rest) != MPL_OK) size /= 2;
  CHECK(n > 100);
  WORLD_WHOLE();
  for (uint64_t i = 0; i < n; i++) {
    mpl_queue_task_decoded(take());
    CHECK(mpl_queue_task_done(queue) == MPL_OK);
  }
  CHECK(join(0) == MPL_OK);
  WORLD_WHOLE();
  release_queue();
  WORLD_WHOLE();
}

/* The checker finds what is not as it should be. */
static void spoilt(mpl_a64 *word, uint64_t value) {
  uint64_t was = mpl_load64_rlx(word);
  WORLD_WHOLE();
  mpl_store64_rlx(word, value);
  CHECK(!mpl_shm_check(NULL));
  mpl_store64_rlx(word, was);
  WORLD_WHOLE();
}

static void checker(void) {
  begin_joinable();
  for (uint64_t i = 0; i < 3; i++) put(i);
  for (uint64_t i = 0; i < 2; i++) take_number(i, 1);
  struct mpl_taker *t = MPL_AT(struct mpl_taker, mpl_load64_rlx(&queue->takers));
  spoilt(&queue->finished, 1);
  spoilt(&queue->takers, 0);
  spoilt(&queue->spare.ident, 1);
  spoilt(&t->count, 1);
  spoilt(&t->last, mpl_load64_rlx(&t->first));
  spoilt(&t->first, mpl_load64_rlx(&t->last));
  spoilt(&mpl_message_at(mpl_load64_rlx(&t->first))->next, 0);
  end();
}

/*
** Several processes
*/

static uint64_t wanted; /* how many items the next process takes */

static void take_some(void *arg) {
  (void)arg;
  for (uint64_t i = 0; i < wanted; i++) mpl_queue_task_decoded(take());
}

static void take_and_die(void *arg) {
  take_some(arg);
  kill(getpid(), SIGKILL);
}

/* A process takes n items and is killed. Who dies is noticed now, or later. */
static void bereave(uint64_t n, bool noticed) {
  wanted = n;
  struct mpl_child *child = world_start(take_and_die, NULL);
  if (noticed)
    CHECK(world_join(child) == -SIGKILL);
  else
    CHECK(!crash_wait(child->pid));
}

/* The same by two processes at once, so that the items of the second lie behind those of the first.
   */
static void requeued(bool noticed) {
  begin_joinable();
  for (uint64_t i = 0; i < ITEMS; i++) put(i);
  bereave(2, noticed);
  CHECK(join(0) == MPL_TIMEOUT && mpl_queue_size(queue) == ITEMS);
  WORLD_WHOLE();
  for (uint64_t i = 0; i < ITEMS; i++) take_number(i, i < 2 ? 2 : 1);
  mpl_queue_tasks_leave(false);
  CHECK(mpl_queue_size(queue) == ITEMS);
  bereave(1, noticed);
  mpl_queue_tasks_refresh(queue);
  take_number(0, 4);
  bereave(ITEMS - 1, noticed);
  CHECK(mpl_queue_task_done(queue) == MPL_OK && mpl_queue_task_done(queue) == MPL_MISUSE);
  for (uint64_t i = 1; i < ITEMS; i++) {
    take_number(i, i < 2 ? 4 : 3);
    CHECK(mpl_queue_task_done(queue) == MPL_OK);
  }
  CHECK(join(0) == MPL_OK);
  mpl_recover_all();
  mpl_child_reap();
  end();
}

static void requeued_later(void) {
  requeued(false);
}

static void requeued_at_once(void) {
  requeued(true);
}

/* Also while the queue is never empty. */
static void requeued_in_time(void) {
  begin_joinable();
  put(0);
  bereave(1, true);
  put(1);
  take_number(0, 2);
  take_number(1, 1);
  end();
}

static void dropped(void) {
  begin(MPL_QUEUE_JOINABLE);
  for (uint64_t i = 0; i < ITEMS; i++) put(i);
  bereave(2, true);
  for (uint64_t i = 2; i < ITEMS; i++) {
    CHECK(join(0) == MPL_TIMEOUT);
    take_number(i, 1);
    CHECK(mpl_queue_task_done(queue) == MPL_OK);
  }
  CHECK(join(0) == MPL_OK && mpl_queue_task_done(queue) == MPL_MISUSE);
  end();
}

static void take_one(void *arg) {
  take_number(*(uint64_t *)arg, 2);
  CHECK(mpl_queue_task_done(queue) == MPL_OK);
}

static void wait_for_all(void *arg) {
  (void)arg;
  CHECK(join(world_deadline()) == MPL_OK);
}

/* A process takes n items and keeps them. */
static struct mpl_child *hold(uint64_t n) {
  int gate[2];
  char byte;
  CHECK(pipe(gate) == 0);
  struct mpl_child *taker;
  CHECK(mpl_fork("test", MPL_FORK_CHILD, &taker) == MPL_OK);
  if (taker == NULL) {
    wanted = n;
    take_some(NULL);
    CHECK(write(gate[1], "x", 1) == 1);
    for (;;) pause();
  }
  CHECK(read(gate[0], &byte, 1) == 1);
  return taker;
}

/* Sleepers on an empty queue, and those who wait for the end of all items, go on after a death;
   whoever notices it says so. */
static void waking(void) {
  struct mpl_child *getter, *joiner;
  uint64_t number = 0;
  begin_joinable();
  put(number);
  struct mpl_ec *deaths = &mpl_super()->died;
  bereave(1, false);
  getter = world_start(take_one, &number);
  joiner = world_start(wait_for_all, NULL);
  CHECK(world_join(getter) == 0 && world_join(joiner) == 0);
  put(++number);
  struct mpl_child *taker = hold(1);
  getter = world_start(take_one, &number);
  joiner = world_start(wait_for_all, NULL);
  world_until_asleep(getter->ident, &queue->not_empty);
  world_until_asleep(joiner->ident, &queue->all_finished);
  uint32_t armed = mpl_ec_arm(deaths);
  CHECK(kill(taker->pid, SIGKILL) == 0 && world_join(taker) == -SIGKILL);
  CHECK((mpl_load32_acq(&deaths->word) | 1u) != armed);
  CHECK(world_join(getter) == 0 && world_join(joiner) == 0);
  end();
}

/* A getter waits as long as an item may come back to a queue that was shut down. */
static void shut_down_with_items_out(void) {
  begin_joinable();
  put(0);
  take_number(0, 1);
  CHECK(mpl_queue_shutdown(queue, false) == MPL_OK);
  CHECK(world_get(queue, 1, &got, 0) == MPL_CLOSED); /* the caller's own is none */
  mpl_queue_tasks_leave(false);
  struct mpl_child *taker = hold(1);
  CHECK(world_get(queue, 1, &got, mpl_os_now() + WORLD_MS) == MPL_TIMEOUT);
  CHECK(kill(taker->pid, SIGKILL) == 0);
  take_number(0, 3);
  CHECK(world_join(taker) == -SIGKILL);
  CHECK(mpl_queue_task_done(queue) == MPL_OK && world_get(queue, 1, &got, 0) == MPL_CLOSED);
  mpl_recover_all();
  mpl_child_reap();
  end();
}

/*
** Workers killed at random: every item is finished, by one who lives
*/

#define WORKERS 8

static mpl_a64 *seen; /* by number */

static void work(void *arg) {
  (void)arg;
  for (;;) {
    mpl_off message = take();
    uint64_t number = number_of(message);
    CHECK(number < CROWD_ITEMS);
    mpl_queue_task_decoded(message);
    mpl_add64_ar(&seen[number], 1);
    usleep(20);
    CHECK(mpl_queue_task_done(queue) == MPL_OK);
  }
}

static void crowd(void) {
  struct mpl_child *worker[WORKERS];
  unsigned victim = 0, kills = 0;
  begin_joinable();
  seen = mmap(NULL, CROWD_ITEMS * sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
              -1, 0);
  CHECK(seen != MAP_FAILED);
  for (uint64_t i = 0; i < CROWD_ITEMS; i++) put(i);
  for (int i = 0; i < WORKERS; i++) worker[i] = world_start(work, NULL);
  while (join(mpl_os_now() + 200000 + 97000 * (victim % 7)) == MPL_TIMEOUT) {
    int i = (int)(victim++ * 5 % WORKERS);
    CHECK(kill(worker[i]->pid, SIGKILL) == 0 && world_join(worker[i]) == -SIGKILL);
    worker[i] = world_start(work, NULL);
    kills++;
  }
  for (int i = 0; i < WORKERS; i++)
    CHECK(kill(worker[i]->pid, SIGKILL) == 0 && world_join(worker[i]) == -SIGKILL);
  CHECK(unfinished() == 0 && join(0) == MPL_OK && mpl_queue_size(queue) == 0);
  uint64_t again = 0;
  for (int i = 0; i < CROWD_ITEMS; i++) {
    CHECK(mpl_load64_rlx(&seen[i]) >= 1);
    again += mpl_load64_rlx(&seen[i]) - 1;
  }
  CHECK(again <= kills);
  printf("%u workers killed, %lu items seen again\n", kills, (unsigned long)again);
  end();
}

/*
** Deaths at every crash point
*/

static uint32_t armed;

static void arm(struct mpl_ec *ec) {
  armed = mpl_ec_arm(ec);
}

static bool woken(struct mpl_ec *ec) {
  return (mpl_load32_acq(&ec->word) | 1u) != armed;
}

static void setup_kind(uint64_t kind) {
  new_queue(kind);
  for (uint64_t i = 0; i < ITEMS; i++) put(i);
}

static void setup_items(void) {
  setup_kind(MPL_QUEUE_JOINABLE | MPL_QUEUE_REQUEUE);
}

/* Everything but the first `finished` items comes once more, in its order, and can be finished. */
static void drain(uint64_t first) {
  CHECK(unfinished() == ITEMS - first);
  for (uint64_t i = first; i < ITEMS; i++) {
    mpl_off message = take();
    CHECK(number_of(message) == i);
    mpl_queue_task_decoded(message);
    WORLD_WHOLE();
    CHECK(mpl_queue_task_done(queue) == MPL_OK);
  }
  CHECK(mpl_queue_size(queue) == 0 && join(0) == MPL_OK);
  CHECK(mpl_queue_task_done(queue) == MPL_MISUSE);
  release_queue();
}

static void verify_none_finished(bool finished) {
  (void)finished;
  drain(0);
}

static void prepare_take_one(void) {
  mpl_queue_task_decoded(take());
}

static void get_one(void) {
  mpl_queue_task_decoded(take());
}

static void get_all(void) {
  CHECK(world_get(queue, MPL_QUEUE_BATCH, &got, 0) == MPL_OK && got.batch.n == ITEMS);
}

static void task_done(void) {
  CHECK(mpl_queue_task_done(queue) == MPL_OK);
}

static void verify_one_finished(bool finished) {
  uint64_t n = mpl_load64_rlx(&queue->finished);
  CHECK(n <= 1 && (n == 1 || !finished));
  drain(n);
}

/* The last item: who waits for all is told. */
static void setup_last(void) {
  setup_items();
  for (uint64_t i = 0; i + 1 < ITEMS; i++) {
    take_number(i, 1);
    task_done();
  }
  arm(&queue->all_finished);
}

static void verify_last(bool finished) {
  CHECK(unfinished() == 0 ? woken(&queue->all_finished) : !finished);
  drain(ITEMS - unfinished());
}

/* Items of the survivor, which another process finishes. */
static void setup_taken(void) {
  setup_items();
  take_number(0, 1);
}

static void verify_other_finished(bool finished) {
  uint64_t n = mpl_load64_rlx(&queue->finished);
  CHECK(n <= 1 && (n == 1 || !finished));
  mpl_queue_tasks_leave(false);
  drain(n);
}

/* Three items are a dead process's. */
static void setup_bereaved(void) {
  setup_items();
  bereave(3, true);
  arm(&queue->not_empty);
}

static void setup_all_bereaved(void) {
  setup_items();
  bereave(ITEMS, false);
  arm(&queue->not_empty);
}

static void verify_requeued(bool finished) {
  (void)finished;
  if (mpl_load64_rlx(&queue->front_count) > 0) CHECK(woken(&queue->not_empty));
  drain(0);
}

static void refresh(void) {
  mpl_queue_tasks_refresh(queue);
}

static void join_or_not(void) {
  enum mpl_status s = join(0);
  CHECK(s == MPL_OK || s == MPL_TIMEOUT);
}

static void setup_drop(void) {
  setup_kind(MPL_QUEUE_JOINABLE);
  bereave(3, true);
}

static void verify_dropped(bool finished) {
  CHECK(mpl_load64_rlx(&queue->finished) == 3 || !finished);
  CHECK(join(0) == MPL_TIMEOUT);
  drain(3);
}

static void setup_all_dropped(void) {
  setup_kind(MPL_QUEUE_JOINABLE);
  bereave(ITEMS, true);
  arm(&queue->all_finished);
}

static void verify_all_dropped(bool finished) {
  (void)finished;
  if (unfinished() == 0) CHECK(woken(&queue->all_finished));
  CHECK(join(0) == MPL_OK);
  drain(ITEMS);
}

static void prepare_decoding(void) {
  take_number(0, 1);
  for (int i = 0; i < 2; i++) taken[i] = take();
}

static void give_back(void) {
  for (int i = 1; i >= 0; i--) mpl_queue_task_return(queue, taken[i]);
}

static void prepare_discard(void) {
  taken[0] = take();
}

static void discard(void) {
  mpl_queue_task_discard(queue, taken[0]);
}

static void shut(void) {
  CHECK(mpl_queue_shutdown(queue, true) == MPL_OK);
}

/* What is in the queue is dropped and finished; what was taken by the victim is, too, as it is
   dead. */
static void verify_shut(bool finished) {
  bool closed = mpl_load64_rlx(&queue->state) == MPL_QUEUE_EMPTIED;
  CHECK(closed || !finished);
  if (!closed) {
    drain(0);
    return;
  }
  CHECK(mpl_queue_shutdown(queue, true) == MPL_OK);
  CHECK(join(0) == MPL_OK && world_get(queue, 1, &got, 0) == MPL_CLOSED);
  release_queue();
}

/* The victim's own queue, with items in it, in progress of its own and of a dead child. */
static void prepare_own_queue(void) {
  setup_bereaved();
  take_number(0, 2);
}

static void setup_automatic(void) {
  setup_kind(MPL_QUEUE_REQUEUE);
}

static void prepare_take_two(void) {
  take_number(0, 1);
  take_number(1, 1);
}

static void ask(void) {
  mpl_queue_tasks_next(queue);
}

static void leave(void) {
  mpl_queue_tasks_leave(true);
}

static void verify_asked(bool finished) {
  uint64_t n = mpl_load64_rlx(&queue->finished);
  CHECK(n <= 2 && (n == 2 || !finished));
  drain(n);
}

static void leave_unfinished(void) {
  mpl_queue_tasks_leave(false);
}

/* Put by the victim, dropped by the survivor. */
static void setup_empty(void) {
  new_queue(MPL_QUEUE_JOINABLE | MPL_QUEUE_REQUEUE);
}

static void put_one(void) {
  put(0);
}

static void verify_put(bool finished) {
  CHECK(mpl_queue_size(queue) == unfinished() && unfinished() <= 1);
  CHECK(unfinished() == 1 || !finished);
  if (unfinished() == 1) {
    take_number(0, 1);
    task_done();
  }
  CHECK(join(0) == MPL_OK);
  release_queue();
}

static const struct crash_op ops[] = {
    {.name = "put", .setup = setup_empty, .operate = put_one, .verify = verify_put},
    {.name = "first get", .setup = setup_items, .operate = get_one, .verify = verify_none_finished,
     .twice = true},
    {.name = "second get", .setup = setup_items, .prepare = prepare_take_one, .operate = get_one,
     .verify = verify_none_finished, .twice = true},
    {.name = "get many", .setup = setup_items, .operate = get_all, .verify = verify_none_finished},
    {.name = "task_done", .setup = setup_items, .prepare = prepare_take_one, .operate = task_done,
     .verify = verify_one_finished, .twice = true},
    {.name = "last task_done", .setup = setup_last, .prepare = prepare_take_one,
     .operate = task_done, .verify = verify_last, .twice = true},
    {.name = "task_done for another", .setup = setup_taken, .operate = task_done,
     .verify = verify_other_finished},
    {.name = "get what a dead had", .setup = setup_bereaved, .operate = get_one,
     .verify = verify_requeued, .twice = true},
    {.name = "get, death unnoticed", .setup = setup_all_bereaved, .operate = get_one,
     .verify = verify_requeued},
    {.name = "requeue", .setup = setup_bereaved, .operate = refresh, .verify = verify_requeued,
     .twice = true},
    {.name = "join, requeue", .setup = setup_bereaved, .operate = join_or_not,
     .verify = verify_requeued},
    {.name = "join, drop", .setup = setup_drop, .operate = join_or_not, .verify = verify_dropped,
     .twice = true},
    {.name = "join, drop all", .setup = setup_all_dropped, .operate = join_or_not,
     .verify = verify_all_dropped},
    {.name = "return", .setup = setup_items, .prepare = prepare_decoding, .operate = give_back,
     .verify = verify_none_finished, .twice = true},
    {.name = "discard", .setup = setup_items, .prepare = prepare_discard, .operate = discard,
     .verify = verify_one_finished},
    {.name = "immediate shutdown", .setup = setup_bereaved, .prepare = prepare_take_one,
     .operate = shut, .verify = verify_shut},
    {.name = "dismantle", .prepare = prepare_own_queue, .operate = release_queue, .grows = true,
     .twice = true},
    {.name = "ask for the next", .setup = setup_automatic, .prepare = prepare_take_two,
     .operate = ask, .verify = verify_asked},
    {.name = "leave", .setup = setup_automatic, .prepare = prepare_take_two, .operate = leave,
     .verify = verify_asked, .twice = true},
    {.name = "leave, unfinished", .setup = setup_items, .prepare = prepare_take_two,
     .operate = leave_unfinished, .verify = verify_none_finished, .twice = true},
};

#define SAMPLES 4 /* points of an operation at which the recovery of its process is swept */

static const struct crash_op *op;

static void sweep(void) {
  unsigned long points = crash_sweep(op), again = 0;
  CHECK(points >= 1);
  if (op->twice) again = crash_sweep_recovery(op, points, SAMPLES);
  printf("%-28s %4lu points, %5lu of recovery\n", op->name, points, again);
}

int main(int argc, char **argv) {
  unit_run("counting", counting);
  unit_run("oldest first", oldest_first);
  unit_run("batches", batches);
  unit_run("undecodable", undecodable);
  unit_run("finished by asking", finished_by_asking);
  unit_run("shutting down", shutting_down);
  unit_run("out of memory", out_of_memory);
  unit_run("checker", checker);
  unit_run("requeued at once", requeued_at_once);
  unit_run("requeued later", requeued_later);
  unit_run("requeued in time", requeued_in_time);
  unit_run("dropped", dropped);
  unit_run("waking", waking);
  unit_run("shut down with items out", shut_down_with_items_out);
  unit_run("crowd", crowd);
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    op = &ops[i];
    if (argc < 2 || strcmp(argv[1], op->name) == 0) unit_run(op->name, sweep);
  }
  setenv("MPL_NO_WAITV", "1", 1);
  unit_run("waking", waking);
  unit_run("crowd", crowd);
  return unit_end(argv[0]);
}
