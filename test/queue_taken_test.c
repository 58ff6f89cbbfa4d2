/*
** Queues that keep account of their items: taking, finishing, joining, what becomes of the items of
** the dead; workers killed at random.
*/
#include <sys/mman.h>

#include "takers.h"

#define ITEMS 5

static uint64_t queue_id;
static struct mpl_queue *queue;
static struct world_sum start;

static void new_queue(uint64_t kind) {
  queue = takers_new(kind, &queue_id);
}

static void release_queue(void) {
  mpl_reflist_release(queue_id);
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
  CHECK(takers_join(queue, 0) == MPL_OK && mpl_queue_taken_done(queue) == MPL_MISUSE);
  for (uint64_t i = 0; i < 100; i++) takers_put(queue, i);
  CHECK(takers_join(queue, 0) == MPL_TIMEOUT && mpl_queue_taken_done(queue) == MPL_MISUSE);
  for (uint64_t i = 0; i < 100; i++) {
    takers_take_number(queue, i, 1);
    WORLD_WHOLE();
    CHECK(takers_join(queue, 0) == MPL_TIMEOUT && takers_unfinished(queue) == 100 - i);
    CHECK(mpl_queue_taken_done(queue) == MPL_OK && mpl_queue_taken_done(queue) == MPL_MISUSE);
  }
  CHECK(takers_join(queue, 0) == MPL_OK && takers_unfinished(queue) == 0);
  end();
}

/* Finished in the order in which they were taken; what is being decoded is not finished. */
static void oldest_first(void) {
  begin_joinable();
  for (uint64_t i = 0; i < 3; i++) takers_put(queue, i);
  mpl_off message[3];
  for (int i = 0; i < 3; i++) message[i] = takers_take(queue);
  CHECK(mpl_queue_taken_done(queue) == MPL_MISUSE);
  mpl_queue_taken_decoded(message[1]);
  CHECK(mpl_queue_taken_done(queue) == MPL_OK && mpl_queue_taken_done(queue) == MPL_MISUSE);
  CHECK(takers_number_of(message[0]) == 0 && takers_number_of(message[2]) == 2);
  mpl_queue_taken_decoded(message[2]);
  mpl_queue_taken_decoded(message[0]);
  CHECK(mpl_queue_taken_done(queue) == MPL_OK && takers_number_of(message[2]) == 2);
  CHECK(mpl_queue_taken_done(queue) == MPL_OK && takers_join(queue, 0) == MPL_OK);
  end();
}

static void batches(void) {
  begin_joinable();
  for (uint64_t i = 0; i < 100; i++) takers_put(queue, i);
  for (uint64_t i = 0; i < 100;) {
    CHECK(world_get(queue, MPL_QUEUE_BATCH, &takers_got, 0) == MPL_OK);
    for (int k = 0; k < takers_got.batch.n; k++, i++) {
      CHECK(takers_number_of(takers_got.batch.item[k].message) == i);
      mpl_queue_taken_decoded(takers_got.batch.item[k].message);
    }
    WORLD_WHOLE();
  }
  for (uint64_t i = 0; i < 100; i++) CHECK(mpl_queue_taken_done(queue) == MPL_OK);
  CHECK(takers_join(queue, 0) == MPL_OK);
  end();
}

/* What could not be decoded comes again as if for the first time, or is finished. */
static void undecodable(void) {
  begin_joinable();
  for (uint64_t i = 0; i < 4; i++) takers_put(queue, i);
  takers_take_number(queue, 0, 1);
  mpl_off one = takers_take(queue), two = takers_take(queue);
  mpl_queue_taken_return(queue, two);
  mpl_queue_taken_return(queue, one);
  WORLD_WHOLE();
  CHECK(mpl_queue_size(queue) == 3);
  takers_take_number(queue, 1, 1);
  mpl_queue_taken_discard(queue, takers_take(queue));
  WORLD_WHOLE();
  CHECK(takers_unfinished(queue) == 3);
  takers_take_number(queue, 3, 1);
  for (int i = 0; i < 3; i++) CHECK(mpl_queue_taken_done(queue) == MPL_OK);
  CHECK(takers_join(queue, 0) == MPL_OK);
  end();
}

/* In a queue that is not joinable an item is finished when its taker asks for the next one. */
static void finished_by_asking(void) {
  begin(MPL_QUEUE_REQUEUE);
  for (uint64_t i = 0; i < 4; i++) takers_put(queue, i);
  takers_take_number(queue, 0, 1);
  mpl_off message = takers_take(queue);
  mpl_queue_taken_next(queue);
  CHECK(takers_unfinished(queue) == 3); /* but not what is being decoded */
  mpl_queue_taken_decoded(message);
  mpl_queue_taken_next(queue);
  CHECK(takers_unfinished(queue) == 2);
  takers_take_number(queue, 2, 1);
  CHECK(mpl_queue_taken_done(queue) == MPL_OK && mpl_queue_taken_done(queue) == MPL_MISUSE);
  takers_take_number(queue, 3, 1);
  mpl_queue_taken_leave(true);
  CHECK(takers_unfinished(queue) == 0);
  takers_put(queue, 4);
  takers_take_number(queue, 4, 1);
  mpl_queue_taken_leave(false);
  takers_take_number(queue, 4, 2);
  end();
}

static void shutting_down(void) {
  begin_joinable();
  for (uint64_t i = 0; i < 4; i++) takers_put(queue, i);
  takers_take_number(queue, 0, 1);
  CHECK(mpl_queue_shutdown(queue, false) == MPL_OK);
  takers_take_number(queue, 1, 1);
  CHECK(mpl_queue_shutdown(queue, true) == MPL_OK);
  CHECK(world_get(queue, 1, &takers_got, 0) == MPL_CLOSED);
  CHECK(takers_unfinished(queue) == 2 && takers_join(queue, 0) == MPL_TIMEOUT);
  WORLD_WHOLE();
  CHECK(mpl_queue_taken_done(queue) == MPL_OK && mpl_queue_taken_done(queue) == MPL_OK);
  CHECK(takers_join(queue, 0) == MPL_OK);
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
    mpl_queue_taken_decoded(takers_take(queue));
    CHECK(mpl_queue_taken_done(queue) == MPL_OK);
  }
  CHECK(takers_join(queue, 0) == MPL_OK);
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
  for (uint64_t i = 0; i < 3; i++) takers_put(queue, i);
  for (uint64_t i = 0; i < 2; i++) takers_take_number(queue, i, 1);
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

/* The same by two processes at once, so that the items of the second lie behind those of the
   first. */
static void requeued(bool noticed) {
  begin_joinable();
  for (uint64_t i = 0; i < ITEMS; i++) takers_put(queue, i);
  takers_bereave(queue, 2, noticed);
  CHECK(takers_join(queue, 0) == MPL_TIMEOUT && mpl_queue_size(queue) == ITEMS);
  WORLD_WHOLE();
  for (uint64_t i = 0; i < ITEMS; i++) takers_take_number(queue, i, i < 2 ? 2 : 1);
  mpl_queue_taken_leave(false);
  CHECK(mpl_queue_size(queue) == ITEMS);
  takers_bereave(queue, 1, noticed);
  mpl_queue_taken_refresh(queue);
  takers_take_number(queue, 0, 4);
  takers_bereave(queue, ITEMS - 1, noticed);
  CHECK(mpl_queue_taken_done(queue) == MPL_OK && mpl_queue_taken_done(queue) == MPL_MISUSE);
  for (uint64_t i = 1; i < ITEMS; i++) {
    takers_take_number(queue, i, i < 2 ? 4 : 3);
    CHECK(mpl_queue_taken_done(queue) == MPL_OK);
  }
  CHECK(takers_join(queue, 0) == MPL_OK);
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
  takers_put(queue, 0);
  takers_bereave(queue, 1, true);
  takers_put(queue, 1);
  takers_take_number(queue, 0, 2);
  takers_take_number(queue, 1, 1);
  end();
}

static void dropped(void) {
  begin(MPL_QUEUE_JOINABLE);
  for (uint64_t i = 0; i < ITEMS; i++) takers_put(queue, i);
  takers_bereave(queue, 2, true);
  for (uint64_t i = 2; i < ITEMS; i++) {
    CHECK(takers_join(queue, 0) == MPL_TIMEOUT);
    takers_take_number(queue, i, 1);
    CHECK(mpl_queue_taken_done(queue) == MPL_OK);
  }
  CHECK(takers_join(queue, 0) == MPL_OK && mpl_queue_taken_done(queue) == MPL_MISUSE);
  end();
}

static void take_one(void *arg) {
  takers_take_number(queue, *(uint64_t *)arg, 2);
  CHECK(mpl_queue_taken_done(queue) == MPL_OK);
}

static void wait_for_all(void *arg) {
  (void)arg;
  CHECK(takers_join(queue, world_deadline()) == MPL_OK);
}

/* A process takes n items and keeps them. */
static struct mpl_child *hold(uint64_t n) {
  int gate[2];
  char byte;
  CHECK(pipe(gate) == 0);
  struct mpl_child *taker;
  CHECK(mpl_fork("test", MPL_FORK_CHILD, &taker) == MPL_OK);
  if (taker == NULL) {
    takers_take_some(&(struct takers_taker){queue, n});
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
  struct world_sleeper sleeper;
  uint64_t number = 0;
  begin_joinable();
  takers_put(queue, number);
  takers_bereave(queue, 1, false);
  getter = world_start(take_one, &number);
  joiner = world_start(wait_for_all, NULL);
  CHECK(world_join(getter) == 0 && world_join(joiner) == 0);
  takers_put(queue, ++number);
  struct mpl_child *taker = hold(1);
  getter = world_start(take_one, &number);
  joiner = world_start(wait_for_all, NULL);
  world_until_asleep(getter->ident, &queue->not_empty);
  world_until_asleep(joiner->ident, &queue->all_finished);
  world_sleep_on(&mpl_super()->died, &sleeper);
  CHECK(kill(taker->pid, SIGKILL) == 0 && world_join(taker) == -SIGKILL);
  CHECK(world_woken(&sleeper));
  CHECK(world_join(getter) == 0 && world_join(joiner) == 0);
  end();
}

/* A getter waits as long as an item may come back to a queue that was shut down. */
static void shut_down_with_items_out(void) {
  begin_joinable();
  takers_put(queue, 0);
  takers_take_number(queue, 0, 1);
  CHECK(mpl_queue_shutdown(queue, false) == MPL_OK);
  CHECK(world_get(queue, 1, &takers_got, 0) == MPL_CLOSED); /* the caller's own is none */
  mpl_queue_taken_leave(false);
  struct mpl_child *taker = hold(1);
  CHECK(world_get(queue, 1, &takers_got, mpl_os_now() + WORLD_MS) == MPL_TIMEOUT);
  CHECK(kill(taker->pid, SIGKILL) == 0);
  takers_take_number(queue, 0, 3);
  CHECK(world_join(taker) == -SIGKILL);
  CHECK(mpl_queue_taken_done(queue) == MPL_OK && world_get(queue, 1, &takers_got, 0) == MPL_CLOSED);
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
    mpl_off message = takers_take(queue);
    uint64_t number = takers_number_of(message);
    CHECK(number < CROWD_ITEMS);
    mpl_queue_taken_decoded(message);
    mpl_add64_ar(&seen[number], 1);
    usleep(20);
    CHECK(mpl_queue_taken_done(queue) == MPL_OK);
  }
}

static void crowd(void) {
  struct mpl_child *worker[WORKERS];
  unsigned victim = 0, kills = 0;
  begin_joinable();
  seen = mmap(NULL, CROWD_ITEMS * sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
              -1, 0);
  CHECK(seen != MAP_FAILED);
  for (uint64_t i = 0; i < CROWD_ITEMS; i++) takers_put(queue, i);
  for (int i = 0; i < WORKERS; i++) worker[i] = world_start(work, NULL);
  while (takers_join(queue, mpl_os_now() + 200000 + 97000 * (victim % 7)) == MPL_TIMEOUT) {
    int i = (int)(victim++ * 5 % WORKERS);
    CHECK(kill(worker[i]->pid, SIGKILL) == 0 && world_join(worker[i]) == -SIGKILL);
    worker[i] = world_start(work, NULL);
    kills++;
  }
  for (int i = 0; i < WORKERS; i++)
    CHECK(kill(worker[i]->pid, SIGKILL) == 0 && world_join(worker[i]) == -SIGKILL);
  CHECK(takers_unfinished(queue) == 0 && takers_join(queue, 0) == MPL_OK);
  CHECK(mpl_queue_size(queue) == 0);
  uint64_t again = 0;
  for (int i = 0; i < CROWD_ITEMS; i++) {
    CHECK(mpl_load64_rlx(&seen[i]) >= 1);
    again += mpl_load64_rlx(&seen[i]) - 1;
  }
  CHECK(again <= kills);
  printf("%u workers killed, %lu items seen again\n", kills, (unsigned long)again);
  end();
}

int main(int argc, char **argv) {
  (void)argc;
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
  setenv("MPL_NO_WAITV", "1", 1);
  unit_run("waking", waking);
  unit_run("crowd", crowd);
  return unit_end(argv[0]);
}
