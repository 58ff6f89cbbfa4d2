/*
** The message queue: order, bounds, batches, messages, shutting down, and processes that wait for
** each other. Everything runs a second time without futex_waitv.
*/
#include <sys/mman.h>

#include "world.h"

static uint64_t queue_id, lock_id;
static struct mpl_queue *queue;
static struct world_sum start;
static struct world_batch got;
static uint64_t rng = 88172645463325252u;

static uint64_t random_below(uint64_t n) {
  rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
  return rng % n;
}

static void make_locks(void *arg) {
  uint64_t id;
  (void)arg;
  for (int i = 0; i < 200; i++) CHECK(mpl_lock_new(&id) == MPL_OK);
}

static void make_queue(uint64_t maxsize) {
  world_make();
  CHECK(mpl_lock_new(&lock_id) == MPL_OK);
  CHECK(world_join(world_start(make_locks, NULL)) == 0); /* the object table grows */
  start = world_sum();
  CHECK(mpl_queue_new(maxsize, &queue_id) == MPL_OK);
  queue = world_queue(queue_id);
}

/* The queue goes, and all that it had goes with it. */
static void end_queue(void) {
  WORLD_WHOLE();
  mpl_reflist_release(queue_id);
  WORLD_WHOLE();
  WORLD_SAME(start);
}

/*
** One process
*/

static size_t random_size(void) {
  switch (random_below(4)) {
    case 0: return (size_t)random_below(16);
    case 1: return (size_t)random_below(MPL_QUEUE_INLINE + 1);
    case 2: return MPL_QUEUE_INLINE;
    default: return 100;
  }
}

/* Item number i: its size comes from a second run of the same random numbers. */
static void put_patterned(uint64_t i, size_t size) {
  unsigned char bytes[MPL_QUEUE_INLINE];
  struct mpl_piece piece[3] = {{bytes, size / 3}, {bytes + size / 3, 0},
                                     {bytes + size / 3, size - size / 3}};
  struct mpl_queue_item item = {.pieces = piece, .npieces = 3, .size = size};
  int done;
  memset(bytes, (int)(i & 255), size);
  CHECK(world_put_items(queue, &item, 1, &done, 0) == MPL_OK && done == 1);
}

static void expect_patterned(const struct mpl_queue_got *item, uint64_t i, size_t size) {
  CHECK(item->message == 0 && item->size == size);
  for (size_t k = 0; k < size; k++) CHECK(got.bytes[item->at + k] == (i & 255));
}

/* Segments come and go, of all sizes, with the queue now long and now short. */
static void sizes(void) {
  static uint16_t size[1 << 16];
  uint64_t first = 0, last = 0;
  make_queue(0);
  while (last < sizeof size / sizeof *size) {
    for (uint64_t n = random_below(300); n > 0 && last < sizeof size / sizeof *size; n--, last++) {
      size[last] = (uint16_t)random_size();
      put_patterned(last, size[last]);
    }
    for (uint64_t n = random_below(300); n > 0 && first < last;) {
      int max = 1 + (int)random_below(MPL_QUEUE_BATCH);
      CHECK(world_get(queue, max, &got, 0) == MPL_OK);
      CHECK(got.batch.n >= 1 && got.batch.n <= max);
      for (int i = 0; i < got.batch.n; i++, first++)
        expect_patterned(&got.batch.item[i], first, size[first]);
      n = n > (uint64_t)got.batch.n ? n - (uint64_t)got.batch.n : 0;
    }
    CHECK(mpl_queue_size(queue) == last - first);
    if (random_below(20) == 0) WORLD_WHOLE();
  }
  end_queue();
}

/* Memory stays where it is however much goes through. */
static void recycling(void) {
  make_queue(0);
  for (uint64_t i = 0; i < 50; i++) put_patterned(i, 1000);
  struct world_sum before = {0};
  for (uint64_t i = 0; i < 20000; i++) {
    CHECK(world_get(queue, 1, &got, 0) == MPL_OK);
    expect_patterned(&got.batch.item[0], i, 1000);
    put_patterned(i + 50, 1000);
    if (i == 10000) before = world_sum();
  }
  struct world_sum after = world_sum();
  CHECK(after.used < before.used + (256u << 10) && before.used < after.used + (256u << 10));
  end_queue();
}

static void bounds(void) {
  uint64_t number = 0;
  make_queue(3);
  CHECK(world_get(queue, 1, &got, 0) == MPL_TIMEOUT);
  for (int round = 0; round < 100; round++) {
    for (number = 0; number < 3; number++) CHECK(world_put(queue, &number, 8, 0) == MPL_OK);
    CHECK(world_put(queue, &number, 8, 0) == MPL_TIMEOUT);
    CHECK(world_put(queue, &number, 8, mpl_os_now() + 1000) == MPL_TIMEOUT);
    CHECK(mpl_queue_size(queue) == 3);
    for (uint64_t i = 0; i < 3; i++) CHECK(world_get_number(queue) == i);
    CHECK(world_get(queue, 1, &got, 0) == MPL_TIMEOUT);
  }
  end_queue();
}

/* Of a batch for which there is no room, the beginning is put. */
static void part_of_a_batch(void) {
  uint64_t numbers[20];
  struct mpl_piece piece[20];
  struct mpl_queue_item item[20];
  struct mpl_wait w = MPL_WAIT_INIT;
  int done;
  make_queue(12);
  for (uint64_t i = 0; i < 20; i++) {
    numbers[i] = i;
    piece[i] = (struct mpl_piece){&numbers[i], 8};
    item[i] = (struct mpl_queue_item){.pieces = &piece[i], .npieces = 1, .size = 8};
  }
  CHECK(mpl_queue_put(queue, item, 20, &done, &w, 0) == MPL_BLOCK && done == 12);
  CHECK(w.ec == &queue->not_full); /* what to wait for is told although something was put */
  CHECK(mpl_queue_put(queue, item + 12, 8, &done, &w, 0) == MPL_BLOCK && done == 0);
  for (uint64_t i = 0; i < 5; i++) CHECK(world_get_number(queue) == i);
  CHECK(mpl_queue_put(queue, item + 12, 8, &done, &w, 0) == MPL_BLOCK && done == 5);
  for (uint64_t i = 5; i < 10; i++) CHECK(world_get_number(queue) == i);
  CHECK(mpl_queue_put(queue, item + 17, 3, &done, &w, 0) == MPL_OK && done == 3);
  for (uint64_t i = 10; i < 20; i++) CHECK(world_get_number(queue) == i);
  end_queue();
}

/*
** Messages
*/

/* Refers to the lock as often as `refs` says, and to a lock that nobody else refers to. */
static mpl_off make_message(uint64_t number, uint64_t refs) {
  mpl_off message;
  uint64_t own;
  CHECK(mpl_message_new(10000 + number, refs + 1, &message) == MPL_OK);
  memset(mpl_message_data(message), (int)(number & 255), 10000 + number);
  for (uint64_t i = 0; i < refs; i++) mpl_message_add_ref(message, lock_id);
  CHECK(mpl_lock_new(&own) == MPL_OK);
  mpl_message_add_ref(message, own);
  mpl_reflist_release(own);
  return message;
}

static void expect_message(mpl_off message, uint64_t number) {
  const struct mpl_message *m = mpl_message_at(message);
  const unsigned char *bytes = mpl_message_data(message);
  CHECK(m->size == 10000 + number);
  for (uint64_t i = 0; i < m->size; i++) CHECK(bytes[i] == (number & 255));
  for (uint64_t i = 0; i < mpl_load64_rlx(&m->nrefs); i++)
    CHECK(mpl_object_type_of(mpl_load64_rlx(&m->ref[i])) == MPL_TYPE_LOCK);
}

static void drop(mpl_off message) {
  mpl_message_drop(mpl_self, message);
  mpl_object_bury();
}

/* Got in order among inline items; a received object outlives its message if it was retained. */
static void messages(void) {
  make_queue(0);
  for (uint64_t i = 0; i < 200; i++)
    CHECK((i % 3 == 0 ? world_put_message(queue, make_message(i, i % 20))
                      : world_put_number(queue, i)) == MPL_OK);
  WORLD_WHOLE();
  for (uint64_t i = 0; i < 200;) {
    CHECK(world_get(queue, MPL_QUEUE_BATCH, &got, 0) == MPL_OK);
    for (int k = 0; k < got.batch.n; k++, i++) {
      struct mpl_queue_got *item = &got.batch.item[k];
      CHECK((item->message != 0) == (i % 3 == 0));
      if (item->message == 0) continue;
      expect_message(item->message, i);
      uint64_t own = mpl_load64_rlx(&mpl_message_at(item->message)->ref[i % 20]);
      CHECK(mpl_object_retain(own) == MPL_OK);
      drop(item->message);
      CHECK(mpl_object_type_of(own) == MPL_TYPE_LOCK);
      mpl_reflist_release(own);
      CHECK(mpl_object_type_of(own) == MPL_TYPE_NONE);
    }
  }
  end_queue();
}

static void undelivered(void) {
  make_queue(0);
  for (uint64_t i = 0; i < 100; i++) CHECK(world_put_message(queue, make_message(i, 3)) == MPL_OK);
  end_queue();
}

/* A queue that travels in itself is a circle that counting does not break; one in another is
   none. */
static void nested(void) {
  uint64_t outer;
  make_queue(0);
  CHECK(world_put_message(queue, make_message(1, 1)) == MPL_OK);
  CHECK(mpl_queue_new(0, &outer) == MPL_OK);
  mpl_off message;
  CHECK(mpl_message_new(10, 1, &message) == MPL_OK);
  mpl_message_add_ref(message, queue_id);
  CHECK(world_put_message(world_queue(outer), message) == MPL_OK);
  mpl_reflist_release(queue_id);
  WORLD_WHOLE();
  CHECK(mpl_queue_size(queue) == 1);
  mpl_reflist_release(outer);
  WORLD_WHOLE();
  WORLD_SAME(start);
}

static void giving_back(void) {
  make_queue(2);
  for (uint64_t i = 0; i < 2; i++) CHECK(world_put_message(queue, make_message(i, 1)) == MPL_OK);
  mpl_off first[2];
  for (int i = 0; i < 2; i++) {
    CHECK(world_get(queue, 1, &got, 0) == MPL_OK);
    first[i] = got.batch.item[0].message;
  }
  CHECK(world_put_number(queue, 7) == MPL_OK);
  CHECK(mpl_queue_unget(queue, first[1]) == MPL_OK && mpl_queue_unget(queue, first[0]) == MPL_OK);
  CHECK(mpl_queue_size(queue) == 3 && world_put(queue, first, 8, 0) == MPL_TIMEOUT);
  WORLD_WHOLE();
  for (uint64_t i = 0; i < 2; i++) {
    CHECK(world_get(queue, MPL_QUEUE_BATCH, &got, 0) == MPL_OK && got.batch.n == 1);
    expect_message(got.batch.item[0].message, i);
    drop(got.batch.item[0].message);
  }
  CHECK(world_get_number(queue) == 7);
  end_queue();
}

static void shutting_down(void) {
  uint64_t number = 5;
  make_queue(0);
  for (uint64_t i = 0; i < 50; i++) CHECK(world_put_number(queue, i) == MPL_OK);
  CHECK(mpl_queue_shutdown(queue, false) == MPL_OK);
  CHECK(world_put(queue, &number, 8, 0) == MPL_CLOSED);
  for (uint64_t i = 0; i < 25; i++) CHECK(world_get_number(queue) == i);
  CHECK(mpl_queue_size(queue) == 25);
  CHECK(mpl_queue_shutdown(queue, true) == MPL_OK && mpl_queue_size(queue) == 0);
  CHECK(world_get(queue, 1, &got, 0) == MPL_CLOSED);
  CHECK(mpl_queue_shutdown(queue, false) == MPL_OK); /* does not open it again */
  CHECK(world_get(queue, 1, &got, 0) == MPL_CLOSED);
  end_queue();
}

static void out_of_memory(void) {
  unsigned char bytes[MPL_QUEUE_INLINE] = {1};
  enum mpl_status s;
  uint64_t n = 0;
  setenv("MPL_SHM_SIZE", "1M", 1);
  make_queue(0);
  while ((s = world_put(queue, bytes, sizeof bytes, 0)) == MPL_OK) n++;
  CHECK(s == MPL_NOMEM && n > 100 && mpl_queue_size(queue) == n);
  WORLD_WHOLE();
  for (uint64_t i = 0; i < n; i++) CHECK(world_get(queue, 1, &got, 0) == MPL_OK);
  CHECK(world_put(queue, bytes, sizeof bytes, 0) == MPL_OK);
  end_queue();
}

/*
** Several processes
*/

static void get_seven(void *arg) {
  (void)arg;
  CHECK(world_get_number(queue) == 7);
}

static void expect_closed(void *arg) {
  (void)arg;
  CHECK(world_get(queue, 1, &got, world_deadline()) == MPL_CLOSED);
}

static void put_three(void *arg) {
  (void)arg;
  CHECK(world_put_number(queue, 3) == MPL_OK);
}

static void put_refused(void *arg) {
  uint64_t number = 4;
  (void)arg;
  CHECK(world_put(queue, &number, 8, world_deadline()) == MPL_CLOSED);
}

/* Sleepers on either end are woken by what they wait for, each item waking one. */
static void waking(void) {
  struct mpl_child *child[4];
  make_queue(1);
  for (int i = 0; i < 4; i++) child[i] = world_start(get_seven, NULL);
  for (int i = 0; i < 4; i++) world_until_asleep(child[i]->ident, &queue->not_empty);
  for (int i = 0; i < 4; i++) CHECK(world_put_number(queue, 7) == MPL_OK);
  for (int i = 0; i < 4; i++) CHECK(world_join(child[i]) == 0);
  CHECK(world_put_number(queue, 2) == MPL_OK);
  child[0] = world_start(put_three, NULL);
  world_until_asleep(child[0]->ident, &queue->not_full);
  CHECK(world_get_number(queue) == 2 && world_join(child[0]) == 0 && world_get_number(queue) == 3);
  end_queue();
}

static void waking_by_shutdown(void) {
  struct mpl_child *child[4];
  make_queue(1);
  for (int i = 0; i < 4; i++) child[i] = world_start(expect_closed, NULL);
  for (int i = 0; i < 4; i++) world_until_asleep(child[i]->ident, &queue->not_empty);
  CHECK(mpl_queue_shutdown(queue, false) == MPL_OK);
  for (int i = 0; i < 4; i++) CHECK(world_join(child[i]) == 0);
  mpl_reflist_release(queue_id);
  CHECK(mpl_queue_new(1, &queue_id) == MPL_OK);
  queue = world_queue(queue_id);
  CHECK(world_put_number(queue, 1) == MPL_OK);
  for (int i = 0; i < 4; i++) child[i] = world_start(put_refused, NULL);
  for (int i = 0; i < 4; i++) world_until_asleep(child[i]->ident, &queue->not_full);
  CHECK(mpl_queue_shutdown(queue, true) == MPL_OK);
  for (int i = 0; i < 4; i++) CHECK(world_join(child[i]) == 0);
  end_queue();
}

/* One whose wake-up goes to a process that dies is not forgotten. */
static void killed_waiters(void) {
  struct mpl_child *child[6];
  make_queue(0);
  for (int i = 0; i < 6; i++) child[i] = world_start(get_seven, NULL);
  for (int i = 0; i < 6; i++) world_until_asleep(child[i]->ident, &queue->not_empty);
  for (int i = 0; i < 3; i++) CHECK(kill(child[i]->pid, SIGKILL) == 0);
  for (int i = 0; i < 3; i++) CHECK(world_put_number(queue, 7) == MPL_OK);
  for (int i = 0; i < 3; i++) CHECK(world_join(child[i]) == -SIGKILL);
  for (int i = 3; i < 6; i++) CHECK(world_join(child[i]) == 0);
  end_queue();
}

/* Many to many: every item comes once, and those of one producer in their order. */
#define PRODUCERS 3
#define CONSUMERS 3
#define ITEMS 20000

static mpl_a64 *count; /* by producer and number */

static void produce(void *arg) {
  uint64_t me = *(uint64_t *)arg, number[MPL_QUEUE_BATCH];
  struct mpl_piece piece[MPL_QUEUE_BATCH];
  struct mpl_queue_item item[MPL_QUEUE_BATCH];
  rng += me;
  for (uint64_t i = 0; i < ITEMS;) {
    int n = 1 + (int)random_below(MPL_QUEUE_BATCH), done;
    for (int k = 0; k < n; k++) {
      number[k] = me * ITEMS + i + (uint64_t)k;
      piece[k] = (struct mpl_piece){&number[k], 8};
      item[k] = (struct mpl_queue_item){.pieces = &piece[k], .npieces = 1, .size = 8};
    }
    if (i + (uint64_t)n > ITEMS) n = (int)(ITEMS - i);
    CHECK(world_put_items(queue, item, n, &done, world_deadline()) == MPL_OK && done == n);
    i += (uint64_t)n;
  }
}

static void consume(void *arg) {
  uint64_t next[PRODUCERS] = {0}, number;
  enum mpl_status s;
  (void)arg;
  while ((s = world_get(queue, MPL_QUEUE_BATCH, &got, world_deadline())) == MPL_OK) {
    for (int i = 0; i < got.batch.n; i++) {
      memcpy(&number, got.bytes + got.batch.item[i].at, 8);
      CHECK(number < PRODUCERS * ITEMS);
      CHECK(number % ITEMS >= next[number / ITEMS]);
      next[number / ITEMS] = number % ITEMS + 1;
      mpl_add64_ar(&count[number], 1);
    }
  }
  CHECK(s == MPL_CLOSED);
}

static void crowd_at(uint64_t maxsize) {
  struct mpl_child *producer[PRODUCERS], *consumer[CONSUMERS];
  make_queue(maxsize);
  count = mmap(NULL, PRODUCERS * ITEMS * sizeof *count, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(count != MAP_FAILED);
  for (int i = 0; i < CONSUMERS; i++) consumer[i] = world_start(consume, NULL);
  for (uint64_t i = 0; i < PRODUCERS; i++) producer[i] = world_start(produce, &i);
  for (int i = 0; i < PRODUCERS; i++) CHECK(world_join(producer[i]) == 0);
  CHECK(mpl_queue_shutdown(queue, false) == MPL_OK);
  for (int i = 0; i < CONSUMERS; i++) CHECK(world_join(consumer[i]) == 0);
  for (int i = 0; i < PRODUCERS * ITEMS; i++) CHECK(mpl_load64_rlx(&count[i]) == 1);
  end_queue();
}

static void crowd(void) {
  crowd_at(0);
}

static void crowd_in_narrow_queue(void) {
  crowd_at(5);
}

static void all(void) {
  unit_run("bounds", bounds);
  unit_run("part of a batch", part_of_a_batch);
  unit_run("waking", waking);
  unit_run("waking by shutdown", waking_by_shutdown);
  unit_run("killed waiters", killed_waiters);
  unit_run("crowd", crowd);
  unit_run("crowd in a narrow queue", crowd_in_narrow_queue);
}

int main(int argc, char **argv) {
  (void)argc;
  unit_run("sizes", sizes);
  unit_run("recycling", recycling);
  unit_run("messages", messages);
  unit_run("undelivered", undelivered);
  unit_run("nested", nested);
  unit_run("giving back", giving_back);
  unit_run("shutting down", shutting_down);
  unit_run("out of memory", out_of_memory);
  all();
  setenv("MPL_NO_WAITV", "1", 1);
  all();
  return unit_end(argv[0]);
}
