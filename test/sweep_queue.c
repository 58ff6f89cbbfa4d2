/*
** The crash sweep of the queue: see crash.h.
*/
#include "crash.h"

static struct {
  uint64_t id;
  struct mpl_queue *queue;
  mpl_off message;
  struct world_sleeper sleeper, other_sleeper;
} s;

#define SEGMENT 62 /* numbers that fill a first segment of 1024 bytes, a NEXT counted */
#define FULL 70    /* numbers that fill a queue with a limit */
#define SOME 4     /* numbers put at once, into two segments */
#define LETTERS 2

static struct world_batch got;

static void make(uint64_t maxsize) {
  CHECK(mpl_queue_new(maxsize, &s.id) == MPL_OK);
  s.queue = world_queue(s.id);
}

static void put_numbers(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) CHECK(world_put_number(s.queue, i) == MPL_OK);
}

static void release_queue(void) {
  mpl_reflist_release(s.id);
}

static void prepare_letter(void) {
  s.message = world_letter(1);
}

static void drop_message(void) {
  mpl_message_drop(mpl_self, s.message);
  mpl_object_bury();
}

/* The queue gives a whole letter; it is the caller's then. */
static void get_letter(void) {
  CHECK(world_get(s.queue, 1, &got, 0) == MPL_OK && got.batch.item[0].message != 0);
  s.message = got.batch.item[0].message;
  const char *text = mpl_message_data(s.message);
  CHECK(text[0] == 'x' && text[WORLD_LETTER - 1] == 'x');
  CHECK(mpl_object_type_of(mpl_load64_rlx(&mpl_message_at(s.message)->ref[0])) == MPL_TYPE_LOCK);
}

/*
** Putting
*/

static void setup_queue(void) {
  make(0);
  world_sleep_on(&s.queue->not_empty, &s.sleeper);
}

/* The numbers first, first + 1, ... stand in the queue; nothing else. Then it is used once more. */
static void expect_numbers(uint64_t first, uint64_t n) {
  CHECK(mpl_queue_size(s.queue) == n);
  for (uint64_t i = 0; i < n; i++) CHECK(world_get_number(s.queue) == first + i);
  CHECK(world_put_number(s.queue, 7) == MPL_OK && world_get_number(s.queue) == 7);
  CHECK(mpl_queue_size(s.queue) == 0);
  WORLD_WHOLE();
  release_queue();
}

static void put_number(void) {
  CHECK(world_put_number(s.queue, 0) == MPL_OK);
}

static void verify_put(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK(n <= 1 && (n == 1 || !finished));
  CHECK(n == 0 || world_woken(&s.sleeper));
  expect_numbers(0, n);
}

static void setup_segment_full(void) {
  make(0);
  put_numbers(SEGMENT);
  world_sleep_on(&s.queue->not_empty, &s.sleeper);
}

static void put_beyond(void) {
  CHECK(world_put_number(s.queue, SEGMENT) == MPL_OK);
}

static void verify_put_beyond(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK(n == SEGMENT || n == SEGMENT + 1);
  CHECK(n == SEGMENT + 1 ? world_woken(&s.sleeper) : !finished);
  expect_numbers(0, n);
}

static void put_many(void) {
  uint64_t numbers[SOME];
  struct mpl_piece piece[SOME];
  struct mpl_queue_item item[SOME];
  for (uint64_t i = 0; i < SOME; i++) {
    numbers[i] = SEGMENT - 2 + i;
    piece[i] = (struct mpl_piece){&numbers[i], sizeof numbers[i]};
    item[i] = (struct mpl_queue_item){.pieces = &piece[i], .npieces = 1, .size = sizeof numbers[i]};
  }
  int done;
  CHECK(world_put_items(s.queue, item, SOME, &done, MPL_NEVER) == MPL_OK);
}

static void setup_segment_nearly_full(void) {
  make(0);
  put_numbers(SEGMENT - 2);
  world_sleep_on(&s.queue->not_empty, &s.sleeper);
}

static void verify_put_many(bool finished) {
  uint64_t n = mpl_queue_size(s.queue); /* any number of them may stand there, the first ones */
  CHECK(n >= SEGMENT - 2 && n <= SEGMENT - 2 + SOME && (n == SEGMENT - 2 + SOME || !finished));
  CHECK(n == SEGMENT - 2 || world_woken(&s.sleeper));
  expect_numbers(0, n);
}

static void put_message(void) {
  CHECK(world_put_message(s.queue, s.message) == MPL_OK);
}

static void send(void) {
  CHECK(world_put_message(s.queue, world_letter(1)) == MPL_OK);
}

static void verify_message(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK(n <= 1 && (n == 1 || !finished));
  if (n == 1) {
    CHECK(world_woken(&s.sleeper));
    get_letter();
    drop_message();
  }
  expect_numbers(0, 0);
}

/* A put, which has finished or not, and perhaps a get at the same time. */
static void verify_beside(bool finished) {
  uint64_t n = mpl_queue_size(s.queue), first = world_get_number(s.queue);
  CHECK(first <= 1 && first + n <= SEGMENT + 1 && first + n >= SEGMENT);
  CHECK(first + n == SEGMENT + 1 ? world_woken(&s.sleeper) : !finished);
  expect_numbers(first + 1, n - 1);
}

/* Several letters in one section; they are in the hand of the victim. */
static mpl_off letters[LETTERS];

static void prepare_letters(void) {
  for (int i = 0; i < LETTERS; i++) letters[i] = world_letter(1);
}

static void put_letters(void) {
  struct mpl_queue_item item[LETTERS];
  int done;
  for (int i = 0; i < LETTERS; i++) item[i] = (struct mpl_queue_item){.message = letters[i]};
  CHECK(world_put_items(s.queue, item, LETTERS, &done, MPL_NEVER) == MPL_OK && done == LETTERS);
}

static void verify_letters(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK((n == LETTERS && world_woken(&s.sleeper)) || (n == 0 && !finished));
  for (uint64_t i = 0; i < n; i++) {
    get_letter();
    drop_message();
  }
  expect_numbers(0, 0);
}

/*
** Getting
*/

static void setup_numbers(void) {
  make(FULL);
  put_numbers(FULL);
  world_sleep_on(&s.queue->not_full, &s.sleeper);
  world_sleep_on(&s.queue->not_empty, &s.other_sleeper);
}

static void get_one(void) {
  CHECK(world_get_number(s.queue) == 0);
}

static void verify_get_one(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK((n == FULL && !finished) || (n == FULL - 1 && world_woken(&s.sleeper)));
  expect_numbers(FULL - n, n);
}

static void get_many(void) {
  CHECK(world_get(s.queue, MPL_QUEUE_BATCH, &got, 0) == MPL_OK && got.batch.n == MPL_QUEUE_BATCH);
}

static void verify_get_many(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK((n == FULL && !finished) || (n == FULL - MPL_QUEUE_BATCH && world_woken(&s.sleeper)));
  expect_numbers(FULL - n, n);
}

static void setup_segment_left(void) {
  setup_numbers();
  for (uint64_t i = 0; i < SEGMENT; i++) CHECK(world_get_number(s.queue) == i);
  world_sleep_on(&s.queue->not_full, &s.sleeper);
}

static void get_next_segment(void) {
  CHECK(world_get_number(s.queue) == SEGMENT);
}

static void verify_next_segment(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK((n == FULL - SEGMENT && !finished) ||
        (n == FULL - SEGMENT - 1 && world_woken(&s.sleeper)));
  expect_numbers(FULL - n, n);
}

static void setup_letters(void) {
  make(LETTERS);
  prepare_letters();
  put_letters();
  world_sleep_on(&s.queue->not_full, &s.sleeper);
}

static void get_letters(void) {
  CHECK(world_get(s.queue, LETTERS, &got, 0) == MPL_OK && got.batch.n == LETTERS);
}

static void verify_get_letters(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK((n == LETTERS && !finished) || (n == 0 && world_woken(&s.sleeper)));
  for (uint64_t i = 0; i < n; i++) {
    get_letter();
    drop_message();
  }
  expect_numbers(0, 0);
}

static void put_in_vain(void) {
  uint64_t number = FULL;
  CHECK(world_put(s.queue, &number, sizeof number, mpl_os_now() + WORLD_MS / 5) == MPL_TIMEOUT);
}

static void verify_full(bool finished) {
  (void)finished;
  expect_numbers(0, FULL);
}

static void get_in_vain(void) {
  CHECK(world_get(s.queue, 1, &got, mpl_os_now() + WORLD_MS / 5) == MPL_TIMEOUT);
}

static void verify_empty(bool finished) {
  (void)finished;
  expect_numbers(0, 0);
}

static void setup_message(void) {
  make(0);
  CHECK(world_put_message(s.queue, world_letter(1)) == MPL_OK);
}

static void get_message(void) {
  get_letter();
  drop_message();
}

static void verify_get_message(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK(n <= 1 && (n == 0 || !finished));
  if (n == 1) get_message();
  expect_numbers(0, 0);
}

static void setup_unget(void) {
  setup_message();
  world_sleep_on(&s.queue->not_empty, &s.sleeper);
}

static void prepare_unget(void) {
  get_letter();
}

static void unget(void) {
  CHECK(mpl_queue_unget(s.queue, s.message) == MPL_OK);
}

static void verify_unget(bool finished) {
  uint64_t n = mpl_queue_size(s.queue);
  CHECK((n == 0 && !finished) || (n == 1 && world_woken(&s.sleeper)));
  if (n == 1) get_message();
  expect_numbers(0, 0);
}

/*
** Shutting down
*/

static void shut(void) {
  CHECK(mpl_queue_shutdown(s.queue, false) == MPL_OK);
}

static void shut_now(void) {
  CHECK(mpl_queue_shutdown(s.queue, true) == MPL_OK);
}

static void verify_shut(bool finished) {
  uint64_t number = 7;
  bool closed = mpl_load64_rlx(&s.queue->state) != MPL_QUEUE_OPEN;
  CHECK(closed ? world_woken(&s.sleeper) && world_woken(&s.other_sleeper) : !finished);
  CHECK(mpl_queue_size(s.queue) == FULL);
  for (uint64_t i = 0; i < FULL; i++) CHECK(world_get_number(s.queue) == i);
  CHECK(world_put(s.queue, &number, sizeof number, 0) == (closed ? MPL_CLOSED : MPL_OK));
  CHECK(world_get(s.queue, 1, &got, 0) == (closed ? MPL_CLOSED : MPL_OK));
  release_queue();
}

static void setup_mixed(void) {
  make(0);
  put_numbers(1);
  CHECK(world_put_message(s.queue, world_letter(1)) == MPL_OK);
  world_sleep_on(&s.queue->not_empty, &s.sleeper);
  world_sleep_on(&s.queue->not_full, &s.other_sleeper);
}

static void verify_shut_now(bool finished) {
  bool closed = mpl_load64_rlx(&s.queue->state) != MPL_QUEUE_OPEN;
  CHECK(closed ? world_woken(&s.sleeper) && world_woken(&s.other_sleeper) : !finished);
  CHECK(mpl_queue_size(s.queue) == (closed ? 0 : 2));
  CHECK(closed == (world_get(s.queue, 1, &got, 0) == MPL_CLOSED));
  release_queue();
}


static const struct crash_op ops[] = {
    {.name = "put", .setup = setup_queue, .operate = put_number, .verify = verify_put},
    {.name = "put in a new segment", .setup = setup_segment_full, .operate = put_beyond,
     .verify = verify_put_beyond},
    {.name = "put many", .setup = setup_segment_nearly_full, .operate = put_many,
     .verify = verify_put_many},
    {.name = "put a message", .setup = setup_queue, .prepare = prepare_letter,
     .operate = put_message, .verify = verify_message},
    {.name = "put many messages", .setup = setup_queue, .prepare = prepare_letters,
     .operate = put_letters, .verify = verify_letters},
    {.name = "make and put a message", .setup = setup_queue, .operate = send,
     .verify = verify_message},
    {.name = "put, the queue is full", .setup = setup_numbers, .operate = put_in_vain,
     .verify = verify_full, .sturdy = true},
    {.name = "get", .setup = setup_numbers, .operate = get_one, .verify = verify_get_one},
    {.name = "get many", .setup = setup_numbers, .operate = get_many, .verify = verify_get_many},
    {.name = "get from the next segment", .setup = setup_segment_left, .operate = get_next_segment,
     .verify = verify_next_segment},
    {.name = "get a message", .setup = setup_message, .operate = get_message,
     .verify = verify_get_message},
    {.name = "get many messages", .setup = setup_letters, .operate = get_letters,
     .verify = verify_get_letters},
    {.name = "get, the queue is empty", .setup = setup_queue, .operate = get_in_vain,
     .verify = verify_empty, .sturdy = true},
    {.name = "put beside a get", .setup = setup_segment_full, .operate = put_beyond,
     .also = get_one, .verify = verify_beside},
    {.name = "unget", .setup = setup_unget, .prepare = prepare_unget, .operate = unget,
     .verify = verify_unget},
    {.name = "shutdown", .setup = setup_numbers, .operate = shut, .verify = verify_shut},
    {.name = "immediate shutdown", .setup = setup_mixed, .operate = shut_now,
     .verify = verify_shut_now},
};

int main(int argc, char **argv) {
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
