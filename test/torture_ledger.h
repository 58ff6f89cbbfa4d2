/*
** The ledger of the torture: memory outside the arena in which its processes write down what they
** do, so that what a dead one had done is known, and random numbers.
**
** A word has one writer at a time or is changed by atomic operations; what a process has stored
** stays when it dies. Records of processes are found by slot, those of objects by the index of the
** object.
*/
#ifndef MPL_TEST_TORTURE_LEDGER_H
#define MPL_TEST_TORTURE_LEDGER_H

#include <sys/mman.h>
#include <time.h>

/* Whoever fails, and whoever waits for him: the run has failed. */
#define UNIT_FAIL() ledger_fail()
static _Noreturn void ledger_fail(void);

#include "world.h"

#define LEDGER_SLOTS 128
#define LEDGER_OBJECTS 1024
#define LEDGER_ITEMS (1u << 21)
#define LEDGER_ROOTS 10
#define LEDGER_BOARD 16

struct ledger_process {
  mpl_a64 ident;  /* whose record it is */
  mpl_a64 daemon;
  mpl_a64 parked; /* quiescent point at which the process rests, doing nothing */
  mpl_a64 op;     /* what it does, for reports: index into the table of operations */
  mpl_a64 since;
  mpl_a64 taking; /* queue from which it takes items; see ledger_taking */
};

struct ledger_queue {
  mpl_a64 serial;   /* unlike the id small enough for an item's entry */
  mpl_a64 recorded; /* items got from it and recorded, less those given back */
  mpl_a64 deaths;   /* of processes that were taking, since the last quiescent point */
  uint64_t lost;    /* items that left it unrecorded, as of the last quiescent point */
};

struct ledger_lock {
  mpl_a64 loose; /* anybody may release it */
  mpl_a64 owner; /* identity of the process that is under the lock, written by itself */
};

struct ledger_dict {
  mpl_a64 loose;       /* it is cleared, and counters do not count */
  mpl_a64 begun, done; /* additions of 1 to its counters */
};

struct ledger {
  mpl_a64 failed;
  mpl_a64 director; /* identity of the process that plans, kills and looks */
  mpl_a64 pause; /* number of the quiescent point to come to; 0: go on */
  mpl_a64 stop;  /* 1: all processes end */
  mpl_a64 producers, serials; /* given out so far */
  mpl_a64 next_item, floor;   /* numbers of items; those below the floor are settled */
  mpl_a64 operations, forks, accepted, got, abandoned;
  mpl_a64 root[LEDGER_ROOTS];  /* objects that every process has from its start */
  mpl_a64 board[LEDGER_BOARD]; /* ids of objects that may or may not be any more */
  struct ledger_process process[LEDGER_SLOTS];
  struct ledger_queue queue[LEDGER_OBJECTS];
  struct ledger_lock lock[LEDGER_OBJECTS];
  struct ledger_dict dict[LEDGER_OBJECTS];
  mpl_a64 item[LEDGER_ITEMS]; /* see torture_items.h */
};

static struct ledger *ledger;
static struct ledger_process *ledger_me;

static _Noreturn void ledger_fail(void) {
  if (ledger != NULL) mpl_store64_rel(&ledger->failed, 1);
  _exit(1);
}

static inline uint64_t ledger_look(const mpl_a64 *word) {
  return mpl_load64_acq(word);
}

static inline void ledger_make(void) {
  ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(ledger != MAP_FAILED);
}

/* The index of an object, by which its records are found. */
static inline uint64_t ledger_index(uint64_t id) {
  uint64_t index = id & UINT32_MAX;
  CHECK(index < LEDGER_OBJECTS);
  return index;
}

/*
** Random numbers (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA
** 2014).
*/

static uint64_t ledger_rng;

/* A number that depends on both in no simple way. */
static inline uint64_t ledger_mix(uint64_t a, uint64_t b) {
  uint64_t z = a + (b + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static inline uint64_t draw(uint64_t below) {
  ledger_rng += 0x9e3779b97f4a7c15u;
  return ledger_mix(ledger_rng, 0) % below;
}

/*
** Processes
*/

/* From here until ledger_took the caller may have items of the queue that it has not recorded. */
static inline void ledger_taking(uint64_t queue_id) {
  mpl_store64_rel(&ledger_me->taking, queue_id);
}

static inline void ledger_took(void) {
  mpl_store64_rel(&ledger_me->taking, 0);
}

/* The process of a record is dead: its queue is told. Done twice if the caller dies, too. */
static inline void ledger_settle(struct ledger_process *dead) {
  uint64_t id = ledger_look(&dead->taking);
  if (id != 0) mpl_add64_ar(&ledger->queue[ledger_index(id)].deaths, 1);
  mpl_store64_rel(&dead->taking, 0);
}

/* A new process takes the record of its slot. */
static inline void ledger_begin(bool daemon) {
  uint64_t ident = mpl_slot_ident(mpl_self);
  CHECK(mpl_slot_index(ident) < LEDGER_SLOTS);
  ledger_me = &ledger->process[mpl_slot_index(ident)];
  ledger_settle(ledger_me);
  mpl_store64_rel(&ledger_me->parked, 0);
  mpl_store64_rel(&ledger_me->daemon, daemon);
  mpl_store64_rel(&ledger_me->ident, ident);
}

static inline void ledger_sleep_until(int64_t end) {
  struct timespec t = {(time_t)(end / MPL_NS_PER_S), (long)(end % MPL_NS_PER_S)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

static inline void ledger_sleep(int64_t ns) {
  ledger_sleep_until(mpl_os_now() + ns);
}

/* Whether to end; also if the director has been killed by somebody else. */
static inline bool ledger_stopped(void) {
  return ledger_look(&ledger->stop) != 0 || !mpl_slot_ident_lives(ledger_look(&ledger->director));
}

/* Rests as long as there is a quiescent point. The caller holds nothing but handles and locks of
   scripts. */
static inline void ledger_park(void) {
  uint64_t point;
  while ((point = ledger_look(&ledger->pause)) != 0 && !ledger_stopped()) {
    mpl_store64_rel(&ledger_me->parked, point);
    ledger_sleep(WORLD_MS / 5);
  }
}

#endif
