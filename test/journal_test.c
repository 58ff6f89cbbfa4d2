/*
** Every operation is all or nothing: a process dies at each of its crash points in turn, another at
** each point of cleaning up after it. See crash.h for what a trial is.
*/
#include "crash.h"

/* The scene of a trial. */
static uint64_t lock_id, event_id, queue_id;
static struct mpl_queue *queue;
static mpl_off block;
static uint32_t armed;
static struct world_batch got;

/* Somebody may be asleep on the event count from now on ... */
static void arm(struct mpl_ec *ec) {
  armed = mpl_ec_arm(ec);
}

/* ... and would have been woken since. */
static bool woken(struct mpl_ec *ec) {
  return (mpl_load32_acq(&ec->word) | MPL_EC_ASLEEP) != armed;
}

/*
** The heap
*/

static void alloc_small(void) {
  CHECK(mpl_heap_alloc(100, &block) == MPL_OK);
}

static void alloc_grow(void) {
  CHECK(mpl_heap_alloc(3 << 20, &block) == MPL_OK);
}

static void prepare_free(void) {
  mpl_off left, right, end;
  CHECK(mpl_heap_alloc(1000, &left) == MPL_OK && mpl_heap_alloc(1000, &block) == MPL_OK);
  CHECK(mpl_heap_alloc(1000, &right) == MPL_OK && mpl_heap_alloc(1000, &end) == MPL_OK);
  mpl_heap_free(mpl_self, left);
  mpl_heap_free(mpl_self, right);
}

static void free_between(void) {
  mpl_heap_free(mpl_self, block);
}

/*
** Objects
*/

static void new_lock(void) {
  CHECK(mpl_lock_new(&lock_id) == MPL_OK);
}

static void prepare_list_full(void) {
  uint64_t id;
  for (int i = 0; i < 28; i++) CHECK(mpl_lock_new(&id) == MPL_OK);
}

static void new_queue(void) {
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK);
  queue = world_queue(queue_id);
}

/* A message in the caller's hand with references to `n` locks that nobody else refers to. */
static mpl_off letter(uint64_t n) {
  mpl_off message;
  CHECK(mpl_message_new(5000, n, &message) == MPL_OK);
  memset(mpl_message_data(message), 'x', 5000);
  for (uint64_t i = 0; i < n; i++) {
    uint64_t id;
    CHECK(mpl_lock_new(&id) == MPL_OK);
    mpl_message_add_ref(message, id);
    mpl_reflist_release(id);
  }
  return message;
}

static void prepare_letter(void) {
  block = letter(2);
}

static void retain(void) {
  CHECK(mpl_object_retain(mpl_load64_rlx(&mpl_message_at(block)->ref[0])) == MPL_OK);
}

static void release_lock(void) {
  mpl_reflist_release(lock_id);
}

static void prepare_full_queue(void) {
  new_queue();
  for (uint64_t i = 0; i < 10; i++) CHECK(world_put_number(queue, i) == MPL_OK);
  CHECK(world_put_message(queue, letter(2)) == MPL_OK);
}

static void release_queue(void) {
  mpl_reflist_release(queue_id);
}

static void drop_message(void) {
  mpl_message_drop(mpl_self, block);
  mpl_object_bury();
}

/*
** Putting
*/

static void setup_queue(void) {
  new_queue();
  arm(&queue->not_empty);
}

/* The numbers first, first + 1, ... stand in the queue; nothing else. Then it is used once more. */
static void expect_numbers(uint64_t first, uint64_t n) {
  CHECK(mpl_queue_size(queue) == n);
  for (uint64_t i = 0; i < n; i++) CHECK(world_get_number(queue) == first + i);
  CHECK(world_put_number(queue, 7) == MPL_OK && world_get_number(queue) == 7);
  CHECK(mpl_queue_size(queue) == 0);
  WORLD_WHOLE();
  release_queue();
}

static void put_number(void) {
  CHECK(world_put_number(queue, 0) == MPL_OK);
}

static void verify_put(bool finished) {
  uint64_t n = mpl_queue_size(queue);
  CHECK(n <= 1 && (n == 1 || !finished));
  CHECK(n == 0 || woken(&queue->not_empty));
  expect_numbers(0, n);
}

/* 62 numbers fill a first segment of 1024 bytes, a NEXT counted. */
static void setup_segment_full(void) {
  new_queue();
  for (uint64_t i = 0; i < 62; i++) CHECK(world_put_number(queue, i) == MPL_OK);
  arm(&queue->not_empty);
}

static void put_beyond(void) {
  CHECK(world_put_number(queue, 62) == MPL_OK);
}

static void verify_put_beyond(bool finished) {
  uint64_t n = mpl_queue_size(queue);
  CHECK(n == 62 || n == 63);
  CHECK(n == 63 ? woken(&queue->not_empty) : !finished);
  expect_numbers(0, n);
}

static void put_many(void) {
  uint64_t numbers[MPL_QUEUE_BATCH];
  struct mpl_piece piece[MPL_QUEUE_BATCH];
  struct mpl_queue_item item[MPL_QUEUE_BATCH];
  for (uint64_t i = 0; i < MPL_QUEUE_BATCH; i++) {
    numbers[i] = 50 + i;
    piece[i] = (struct mpl_piece){&numbers[i], sizeof numbers[i]};
    item[i] = (struct mpl_queue_item){.pieces = &piece[i], .npieces = 1, .size = sizeof numbers[i]};
  }
  int done;
  CHECK(world_put_items(queue, item, MPL_QUEUE_BATCH, &done, MPL_NEVER) == MPL_OK);
}

static void setup_segment_nearly_full(void) {
  new_queue();
  for (uint64_t i = 0; i < 50; i++) CHECK(world_put_number(queue, i) == MPL_OK);
  arm(&queue->not_empty);
}

static void verify_put_many(bool finished) {
  uint64_t n = mpl_queue_size(queue); /* any number of them may stand there, the first ones */
  CHECK(n >= 50 && n <= 50 + MPL_QUEUE_BATCH && (n == 50 + MPL_QUEUE_BATCH || !finished));
  CHECK(n == 50 || woken(&queue->not_empty));
  expect_numbers(0, n);
}

static void put_message(void) {
  CHECK(world_put_message(queue, block) == MPL_OK);
}

static void send(void) {
  CHECK(world_put_message(queue, letter(1)) == MPL_OK);
}

static void verify_message(bool finished) {
  uint64_t n = mpl_queue_size(queue);
  CHECK(n <= 1 && (n == 1 || !finished));
  if (n == 1) {
    CHECK(woken(&queue->not_empty));
    CHECK(world_get(queue, 1, &got, 0) == MPL_OK && got.batch.item[0].message != 0);
    block = got.batch.item[0].message;
    const char *text = mpl_message_data(block);
    CHECK(text[0] == 'x' && text[4999] == 'x');
    CHECK(mpl_object_type_of(mpl_load64_rlx(&mpl_message_at(block)->ref[0])) == MPL_TYPE_LOCK);
    drop_message();
  }
  expect_numbers(0, 0);
}

/*
** Getting
*/

static void setup_numbers(void) {
  CHECK(mpl_queue_new(100, &queue_id) == MPL_OK);
  queue = world_queue(queue_id);
  for (uint64_t i = 0; i < 100; i++) CHECK(world_put_number(queue, i) == MPL_OK);
  arm(&queue->not_full);
}

static void get_one(void) {
  CHECK(world_get_number(queue) == 0);
}

static void verify_get_one(bool finished) {
  uint64_t n = mpl_queue_size(queue);
  CHECK((n == 100 && !finished) || (n == 99 && woken(&queue->not_full)));
  expect_numbers(100 - n, n);
}

static void get_many(void) {
  CHECK(world_get(queue, MPL_QUEUE_BATCH, &got, 0) == MPL_OK && got.batch.n == MPL_QUEUE_BATCH);
}

static void verify_get_many(bool finished) {
  uint64_t n = mpl_queue_size(queue);
  CHECK((n == 100 && !finished) || (n == 100 - MPL_QUEUE_BATCH && woken(&queue->not_full)));
  expect_numbers(100 - n, n);
}

static void setup_segment_left(void) {
  setup_numbers();
  for (uint64_t i = 0; i < 62; i++) CHECK(world_get_number(queue) == i);
  arm(&queue->not_full);
}

static void get_next_segment(void) {
  CHECK(world_get_number(queue) == 62);
}

static void verify_next_segment(bool finished) {
  uint64_t n = mpl_queue_size(queue);
  CHECK((n == 38 && !finished) || n == 37);
  expect_numbers(100 - n, n);
}

static void setup_message(void) {
  new_queue();
  CHECK(world_put_message(queue, letter(2)) == MPL_OK);
}

static void get_message(void) {
  CHECK(world_get(queue, 1, &got, 0) == MPL_OK && got.batch.item[0].message != 0);
  block = got.batch.item[0].message;
  drop_message();
}

static void verify_get_message(bool finished) {
  uint64_t n = mpl_queue_size(queue);
  CHECK(n <= 1 && (n == 0 || !finished));
  if (n == 1) get_message();
  expect_numbers(0, 0);
}

static void setup_unget(void) {
  setup_message();
  arm(&queue->not_empty);
}

static void prepare_unget(void) {
  CHECK(world_get(queue, 1, &got, 0) == MPL_OK && got.batch.item[0].message != 0);
}

static void unget(void) {
  CHECK(mpl_queue_unget(queue, got.batch.item[0].message) == MPL_OK);
}

static void verify_unget(bool finished) {
  uint64_t n = mpl_queue_size(queue);
  CHECK((n == 0 && !finished) || (n == 1 && woken(&queue->not_empty)));
  if (n == 1) get_message();
  expect_numbers(0, 0);
}

/*
** Shutting down
*/

static void shut(void) {
  CHECK(mpl_queue_shutdown(queue, false) == MPL_OK);
}

static void shut_now(void) {
  CHECK(mpl_queue_shutdown(queue, true) == MPL_OK);
}

static void verify_shut(bool finished) {
  uint64_t number = 7;
  bool closed = mpl_load64_rlx(&queue->state) != MPL_QUEUE_OPEN;
  CHECK(closed ? woken(&queue->not_full) : !finished);
  CHECK(mpl_queue_size(queue) == 100);
  for (uint64_t i = 0; i < 100; i++) CHECK(world_get_number(queue) == i);
  CHECK(world_put(queue, &number, sizeof number, 0) == (closed ? MPL_CLOSED : MPL_OK));
  CHECK(world_get(queue, 1, &got, 0) == (closed ? MPL_CLOSED : MPL_OK));
  release_queue();
}

static void setup_mixed(void) {
  prepare_full_queue();
  arm(&queue->not_empty);
}

static void verify_shut_now(bool finished) {
  bool closed = mpl_load64_rlx(&queue->state) != MPL_QUEUE_OPEN;
  CHECK(closed ? woken(&queue->not_empty) : !finished);
  CHECK(mpl_queue_size(queue) == (closed ? 0 : 11));
  CHECK(closed == (world_get(queue, 1, &got, 0) == MPL_CLOSED));
  release_queue();
}

/*
** Locks and events
*/

static void acquire(void) {
  CHECK(world_acquire(world_lock(lock_id), MPL_NEVER) == MPL_OK);
}

static void verify_acquired(bool finished) {
  enum mpl_status s = world_acquire(world_lock(lock_id), world_deadline());
  CHECK(s == MPL_RECOVERED || (s == MPL_OK && !finished));
  CHECK(mpl_lock_info_of(world_lock(lock_id)).abandoned == (s == MPL_RECOVERED));
  CHECK(mpl_lock_release(world_lock(lock_id)) == MPL_OK);
  CHECK(world_acquire(world_lock(lock_id), world_deadline()) == MPL_OK);
  release_lock();
}

static void prepare_held(void) {
  acquire();
  arm(&world_lock(lock_id)->released);
}

static void unlock(void) {
  CHECK(mpl_lock_release(world_lock(lock_id)) == MPL_OK);
}

static void verify_unlocked(bool finished) {
  struct mpl_lock *lock = world_lock(lock_id);
  CHECK(mpl_lock_info_of(lock).holder == 0 || !finished);
  enum mpl_status s = world_acquire(lock, world_deadline());
  CHECK(s == MPL_OK || (s == MPL_RECOVERED && !finished));
  release_lock();
}

static void setup_event(void) {
  CHECK(mpl_event_new(&event_id) == MPL_OK);
  arm(&world_event(event_id)->changed);
}

static void set_event(void) {
  mpl_event_set(world_event(event_id));
}

static void verify_event(bool finished) {
  struct mpl_event *event = world_event(event_id);
  CHECK(mpl_event_is_set(event) ? woken(&event->changed) : !finished);
  mpl_event_set(event);
  CHECK(world_await(event, 0) == MPL_OK);
  mpl_event_clear(event);
  CHECK(world_await(event, 0) == MPL_TIMEOUT);
  mpl_reflist_release(event_id);
}

/*
** Processes
*/

static void nothing(void *arg) {
  (void)arg;
}

static void fork_and_join(void) {
  world_join(world_start(nothing, NULL)); /* the child dies at the same point, or ends */
}

static void verify_forked(bool finished) {
  (void)finished;
  CHECK(world_join(world_start(nothing, NULL)) == 0);
  release_lock();
}

static void prepare_exit(void) {
  new_lock();
  prepare_full_queue();
}

static void leave(void) {
  mpl_exit_child(0);
}

/* All slots of the first chunk but the victim's. */
static void setup_slots(void) {
  struct mpl_slot *slot;
  for (int i = 0; i < MPL_SLOT_CHUNK - 2; i++)
    CHECK(mpl_slot_reserve("taken", &slot) == MPL_OK);
}

static void reserve_slot(void) {
  struct mpl_slot *slot;
  CHECK(mpl_slot_reserve("beyond", &slot) == MPL_OK);
  CHECK(mpl_slot_index(mpl_slot_ident(slot)) >= MPL_SLOT_CHUNK);
}

static void verify_slots(bool finished) {
  CHECK(mpl_slot_count() > MPL_SLOT_CHUNK || !finished);
  for (uint64_t i = 0; i < mpl_slot_count(); i++)
    if (mpl_slot_state_of(mpl_slot_at(i)) == MPL_SLOT_RESERVED)
      mpl_recover_unclaimed(mpl_slot_at(i), mpl_slot_ident(mpl_slot_at(i)));
}

static const struct crash_op ops[] = {
    {.name = "alloc", .operate = alloc_small},
    {.name = "alloc with growth", .operate = alloc_grow, .twice = true},
    {.name = "free", .prepare = prepare_free, .operate = free_between, .twice = true},
    {.name = "new object", .operate = new_lock},
    {.name = "first object", .operate = new_lock, .cold = true, .grows = true, .twice = true},
    {.name = "new object, list full", .prepare = prepare_list_full, .operate = new_lock},
    {.name = "new queue", .operate = new_queue},
    {.name = "retain", .prepare = prepare_letter, .operate = retain},
    {.name = "release", .prepare = new_lock, .operate = release_lock, .twice = true},
    {.name = "release of a full queue", .prepare = prepare_full_queue, .operate = release_queue},
    {.name = "message with references", .operate = prepare_letter},
    {.name = "drop a message", .prepare = prepare_letter, .operate = drop_message, .twice = true},
    {.name = "put", .setup = setup_queue, .operate = put_number, .verify = verify_put,
     .twice = true},
    {.name = "put in a new segment", .setup = setup_segment_full, .operate = put_beyond,
     .verify = verify_put_beyond, .twice = true},
    {.name = "put many", .setup = setup_segment_nearly_full, .operate = put_many,
     .verify = verify_put_many},
    {.name = "put a message", .setup = setup_queue, .prepare = prepare_letter,
     .operate = put_message, .verify = verify_message, .twice = true},
    {.name = "make and put a message", .setup = setup_queue, .operate = send,
     .verify = verify_message},
    {.name = "get", .setup = setup_numbers, .operate = get_one, .verify = verify_get_one},
    {.name = "get many", .setup = setup_numbers, .operate = get_many, .verify = verify_get_many},
    {.name = "get from the next segment", .setup = setup_segment_left, .operate = get_next_segment,
     .verify = verify_next_segment, .twice = true},
    {.name = "get a message", .setup = setup_message, .operate = get_message,
     .verify = verify_get_message},
    {.name = "unget", .setup = setup_unget, .prepare = prepare_unget, .operate = unget,
     .verify = verify_unget, .twice = true},
    {.name = "shutdown", .setup = setup_numbers, .operate = shut, .verify = verify_shut},
    {.name = "immediate shutdown", .setup = setup_mixed, .operate = shut_now,
     .verify = verify_shut_now},
    {.name = "acquire", .setup = new_lock, .operate = acquire, .verify = verify_acquired},
    {.name = "release of a lock", .setup = new_lock, .prepare = prepare_held, .operate = unlock,
     .verify = verify_unlocked},
    {.name = "set an event", .setup = setup_event, .operate = set_event, .verify = verify_event},
    {.name = "fork and join", .setup = new_lock, .operate = fork_and_join,
     .verify = verify_forked},
    {.name = "exit", .prepare = prepare_exit, .operate = leave, .twice = true},
    {.name = "more slots", .setup = setup_slots, .operate = reserve_slot, .verify = verify_slots,
     .grows = true},
};

#define SAMPLES 6 /* points of an operation at which the recovery of its process is swept */

static const struct crash_op *op;

static void sweep(void) {
  unsigned long points = crash_sweep(op), again = 0;
  CHECK(points >= 1);
  if (op->twice) again = crash_sweep_recovery(op, points, SAMPLES);
  printf("%-28s %4lu points, %5lu of recovery\n", op->name, points, again);
}

int main(int argc, char **argv) {
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    op = &ops[i];
    if (argc < 2 || strcmp(argv[1], op->name) == 0) unit_run(op->name, sweep);
  }
  return unit_end(argv[0]);
}
