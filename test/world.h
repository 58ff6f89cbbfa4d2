/*
** What the tests of shared memory have in common: an arena with all types in it, sums to compare
** before and after, children, and the blocking forms of the queue's and the lock's calls.
*/
#ifndef MPL_TEST_WORLD_H
#define MPL_TEST_WORLD_H

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>

#include "base/os.h"
#include "base/point.h"
#include "ds/event.h"
#include "ds/lock.h"
#include "ds/queue.h"
#include "proc/child.h"
#include "proc/exit.h"
#include "proc/fork.h"
#include "proc/signal.h"
#include "shm/heap.h"
#include "shm/message.h"
#include "shm/recover.h"
#include "shm/reflist.h"
#include "shm/super.h"
#include "unit.h"

#define WORLD_MS 1000000LL

/* Deadlines that only a test which hangs reaches. */
#define WORLD_PATIENCE (60 * MPL_NS_PER_S)

/* Bytes of a message, more than an item in a queue's segment can have. */
#define WORLD_LETTER 5000

static inline int64_t world_deadline(void) {
  return mpl_os_now() + WORLD_PATIENCE;
}

/* Makes an arena in a case, with the case's process as its first member. */
static inline void world_make(void) {
  mpl_queue_register();
  mpl_lock_register();
  mpl_event_register();
  mpl_signal_hear_children();
  CHECK(mpl_shm_create() == MPL_OK);
}

/* The whole arena is as it should be; nobody else is at work. */
#define WORLD_WHOLE() \
  do { \
    const char *fault_; \
    if (!mpl_shm_check(&fault_)) { \
      fprintf(stderr, "%s:%d: arena: %s\n", __FILE__, __LINE__, fault_); \
      _exit(1); \
    } \
  } while (0)

/* The arena is whole, and no more once `spoil` has been at it: the checker says so. */
static inline void world_expect_fault(void (*spoil)(void), const char *expected) {
  const char *fault = NULL;
  WORLD_WHOLE();
  spoil();
  CHECK(!mpl_shm_check(&fault));
  if (strcmp(fault, expected) != 0) FAIL(fault);
}

struct world_sum {
  uint64_t used, slots, objects;
};

#define WORLD_HEADER (2 * sizeof(uint64_t)) /* of a block */

/* Bytes of the tables of objects and processes, which keep the size that they had to have at some
   time: how many there are at once depends on when processes get their CPUs. The first slots lie
   outside of the heap. */
static inline uint64_t world_tables(void) {
  struct mpl_super *super = mpl_super();
  uint64_t sum = 0;
  for (unsigned k = 0; k < MPL_OBJECT_CHUNKS; k++)
    if (mpl_load64_rlx(&super->objects.chunk[k]) != 0)
      sum += mpl_heap_size_of(mpl_load64_rlx(&super->objects.chunk[k])) + WORLD_HEADER;
  uint64_t slots = MPL_SLOT_CHUNK * sizeof(struct mpl_slot) + MPL_CACHE_LINE; /* see grow there */
  return sum + (mpl_slot_count() / MPL_SLOT_CHUNK - 1) * (slots + WORLD_HEADER);
}

/* `used` is bytes but for those tables. */
static inline struct world_sum world_sum(void) {
  struct mpl_heap_info info;
  mpl_heap_info(&info);
  return (struct world_sum){.used = info.used - world_tables(),
                            .slots = mpl_load64_rlx(&mpl_super()->slots.live),
                            .objects = mpl_load64_rlx(&mpl_super()->objects.live)};
}

#define WORLD_SAME(before) \
  do { \
    struct world_sum a_ = (before), b_ = world_sum(); \
    if (a_.used != b_.used || a_.slots != b_.slots || a_.objects != b_.objects) { \
      fprintf(stderr, "%s:%d: before: %lu bytes, %lu slots, %lu objects; now %lu, %lu, %lu\n", \
              __FILE__, __LINE__, (unsigned long)a_.used, (unsigned long)a_.slots, \
              (unsigned long)a_.objects, (unsigned long)b_.used, (unsigned long)b_.slots, \
              (unsigned long)b_.objects); \
      _exit(1); \
    } \
  } while (0)

/* Starts a member that runs f and ends with status 0. */
static inline struct mpl_child *world_start(void (*f)(void *arg), void *arg) {
  struct mpl_child *child;
  CHECK(mpl_fork("test", MPL_FORK_CHILD, &child) == MPL_OK);
  if (child == NULL) {
    f(arg);
    mpl_exit_child(0);
  }
  return child;
}

/* Waits for its end and returns its exit code. */
static inline int world_join(struct mpl_child *child) {
  CHECK(mpl_child_join(child, world_deadline(), 0) == MPL_OK);
  int code = child->exit_code;
  mpl_child_unwanted(child);
  return code;
}

/* Descendants whose parents end become children of the caller, so that world_sweep can wait for
   them. */
static inline void world_adopt(void) {
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
}

/* Waits for all descendants to end and cleans up after those who were killed, at once also after
   parents that died in the middle of a fork. */
static inline void world_sweep(void) {
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
  for (uint64_t i = 0; i < mpl_slot_count(); i++) {
    struct mpl_slot *slot = mpl_slot_at(i);
    uint64_t reserver = mpl_load64_rlx(&slot->reserver);
    if (mpl_slot_state_of(slot) == MPL_SLOT_RESERVED && !mpl_slot_ident_lives(reserver))
      mpl_recover_unclaimed(slot, mpl_slot_ident(slot));
  }
  mpl_recover_all();
}

/* Waits until another process sleeps on this event count. Its word says that somebody may be
   asleep; the slot says who. */
static inline void world_until_asleep(uint64_t ident, struct mpl_ec *ec) {
  struct mpl_slot *slot = mpl_slot_find(ident);
  CHECK(slot != NULL);
  int64_t end = world_deadline();
  while (mpl_load64_acq(&slot->waiting) != mpl_arena_off(ec)) {
    CHECK(mpl_os_now() < end);
    sched_yield();
  }
}

/* Somebody who is asleep on an event count, whoever says so. */
struct world_sleeper {
  struct mpl_ec *ec;
  uint32_t armed;
};

static inline void world_sleep_on(struct mpl_ec *ec, struct world_sleeper *sleeper) {
  *sleeper = (struct world_sleeper){ec, mpl_ec_arm(ec)};
}

/* Whether a sleeper would be awake by now. */
static inline bool world_woken(const struct world_sleeper *sleeper) {
  return (mpl_load32_acq(&sleeper->ec->word) | MPL_EC_ASLEEP) != sleeper->armed;
}

/* One step of waiting that goes on when a child has ended. */
static inline enum mpl_status world_step(struct mpl_wait *w, int64_t deadline) {
  enum mpl_status s = mpl_wait_step(w, deadline);
  if (s != MPL_SIGNAL) return s;
  mpl_signal_take(MPL_SIGNAL_CHILD);
  mpl_child_reap();
  return MPL_OK;
}

static inline struct mpl_queue *world_queue(uint64_t id) {
  struct mpl_queue *q = mpl_object_body(id, MPL_TYPE_QUEUE);
  CHECK(q != NULL);
  return q;
}

static inline struct mpl_lock *world_lock(uint64_t id) {
  struct mpl_lock *lock = mpl_object_body(id, MPL_TYPE_LOCK);
  CHECK(lock != NULL);
  return lock;
}

static inline struct mpl_event *world_event(uint64_t id) {
  struct mpl_event *event = mpl_object_body(id, MPL_TYPE_EVENT);
  CHECK(event != NULL);
  return event;
}

/* Puts all of n items, or as many as there is room for until the deadline; *done counts them. */
static inline enum mpl_status world_put_items(struct mpl_queue *q,
                                              const struct mpl_queue_item *items, int n, int *done,
                                              int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  *done = 0;
  do {
    int some;
    s = mpl_queue_put(q, items + *done, n - *done, &some, &w, deadline);
    *done += some;
    if (s == MPL_SIGNAL) mpl_signal_take(MPL_SIGNAL_CHILD);
    if (s == MPL_BLOCK) s = world_step(&w, deadline);
    else if (s != MPL_SIGNAL) break;
  } while (s == MPL_OK || s == MPL_SIGNAL);
  mpl_wait_done(&w);
  return s;
}

static inline enum mpl_status world_put(struct mpl_queue *q, const void *bytes, size_t size,
                                        int64_t deadline) {
  struct mpl_piece piece = {bytes, size};
  struct mpl_queue_item item = {.pieces = &piece, .npieces = 1, .size = size};
  int done;
  return world_put_items(q, &item, 1, &done, deadline);
}

static inline enum mpl_status world_put_message(struct mpl_queue *q, mpl_off message) {
  struct mpl_queue_item item = {.message = message};
  int done;
  return world_put_items(q, &item, 1, &done, world_deadline());
}

/* A message in the caller's hand with references to `n` locks that nobody else refers to. */
static inline mpl_off world_letter(uint64_t n) {
  mpl_off message;
  CHECK(mpl_message_new(WORLD_LETTER, n, &message) == MPL_OK);
  memset(mpl_message_data(message), 'x', WORLD_LETTER);
  for (uint64_t i = 0; i < n; i++) {
    uint64_t id;
    CHECK(mpl_lock_new(&id) == MPL_OK);
    mpl_message_add_ref(message, id);
    mpl_reflist_release(id);
  }
  return message;
}

/* A batch with room for its bytes. */
struct world_batch {
  struct mpl_queue_batch batch;
  unsigned char bytes[MPL_QUEUE_BATCH * MPL_QUEUE_INLINE];
};

static inline enum mpl_status world_get(struct mpl_queue *q, int max, struct world_batch *out,
                                        int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  out->batch.bytes = out->bytes;
  out->batch.capacity = sizeof out->bytes;
  do {
    s = mpl_queue_get(q, max, &out->batch, &w, deadline);
    if (s == MPL_SIGNAL) mpl_signal_take(MPL_SIGNAL_CHILD);
    if (s == MPL_BLOCK) s = world_step(&w, deadline);
    else if (s != MPL_SIGNAL) break;
  } while (s == MPL_OK || s == MPL_SIGNAL);
  mpl_wait_done(&w);
  return s;
}

/* Numbers, the simplest items. */
static inline enum mpl_status world_put_number(struct mpl_queue *q, uint64_t number) {
  return world_put(q, &number, sizeof number, world_deadline());
}

static inline uint64_t world_get_number(struct mpl_queue *q) {
  static struct world_batch got;
  CHECK(world_get(q, 1, &got, world_deadline()) == MPL_OK);
  CHECK(got.batch.n == 1 && got.batch.item[0].message == 0 &&
        got.batch.item[0].size == sizeof(uint64_t));
  uint64_t number;
  memcpy(&number, got.bytes, sizeof number);
  return number;
}

static inline enum mpl_status world_acquire(struct mpl_lock *lock, int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  while ((s = mpl_lock_try(lock, 0, &w)) == MPL_BLOCK &&
         (s = world_step(&w, deadline)) == MPL_OK) {}
  mpl_wait_done(&w);
  return s;
}

static inline enum mpl_status world_await(struct mpl_event *event, int64_t deadline) {
  struct mpl_wait w = MPL_WAIT_INIT;
  enum mpl_status s;
  while ((s = mpl_event_try(event, &w)) == MPL_BLOCK && (s = world_step(&w, deadline)) == MPL_OK) {}
  mpl_wait_done(&w);
  return s;
}

#endif
