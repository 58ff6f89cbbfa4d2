/*
** Allocations that fail: the n-th of some kinds, alone or with all that follow it.
**
** A sweep tries an operation with n = 1, 2, 3 … until it completes without reaching the n-th; each
** try sets its own scene. Where Lua's own allocations are among those that count, which are most,
** only one in so many n is tried of the ways that differ little from another one.
**
** To be included once in a program, which is linked with --wrap for malloc, calloc, realloc and
** free: the memory of Lua comes from an allocator of the test's own.
*/
#ifndef MPL_TEST_ALLOC_H
#define MPL_TEST_ALLOC_H

#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/fault.h"
#include "unit.h"

enum alloc_kind {
  ALLOC_SHARED = 1,  /* blocks of the heap, memory for the arena */
  ALLOC_PRIVATE = 2, /* malloc and its like, in the layers below Lua and in bind */
  ALLOC_LUA = 4,
  ALLOC_ANY = 7
};

struct alloc_fault {
  unsigned kinds;
  bool on; /* what follows fails, too: memory has come to its end */
  unsigned long n;
};

/* Shared with children, of which one may be armed in place of its parent. */
static struct alloc_state {
  struct alloc_fault fault;
  unsigned long passed, failed;
  unsigned long points[ALLOC_ANY + 1]; /* made to fail so far, by kinds */
} *alloc_state;

static bool alloc_armed; /* this process is the one */

/* Blocks of private memory that are in use. */
static long alloc_blocks;

/* Counts one allocation; whether it is to fail. */
static bool alloc_fails(enum alloc_kind kind) {
  if (!alloc_armed || (alloc_state->fault.kinds & (unsigned)kind) == 0) return false;
  unsigned long i = ++alloc_state->passed, n = alloc_state->fault.n;
  bool fails = alloc_state->fault.on ? i >= n : i == n;
  alloc_state->failed += fails;
  return fails;
}

/* Says what is to fail; nothing does before alloc_armed is true. */
static inline void alloc_prepare(struct alloc_fault fault) {
  alloc_state->fault = fault;
  alloc_state->passed = alloc_state->failed = 0;
}

static inline void alloc_arm(struct alloc_fault fault) {
  alloc_prepare(fault);
  alloc_armed = true;
}

/* Ends that; whether anything has failed. */
static inline bool alloc_disarm(void) {
  alloc_armed = false;
  return alloc_state->failed > 0;
}

static bool alloc_shared_fails(void) {
  return alloc_fails(ALLOC_SHARED);
}

static inline void alloc_disarm_child(void) {
  alloc_armed = false;
}

/* Once, at the start of the program. `in_child` is called in each child after a fork. */
static inline void alloc_begin(void (*in_child)(void)) {
  alloc_state = mmap(NULL, sizeof *alloc_state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0);
  CHECK(alloc_state != MAP_FAILED);
  CHECK(pthread_atfork(NULL, NULL, in_child) == 0);
  mpl_fault = alloc_shared_fails;
}

/*
** Private memory
*/

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static void *alloc_counted(void *block) {
  alloc_blocks += block != NULL;
  return block;
}

void *__wrap_malloc(size_t size) {
  return alloc_fails(ALLOC_PRIVATE) ? NULL : alloc_counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size) {
  return alloc_fails(ALLOC_PRIVATE) ? NULL : alloc_counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *block, size_t size) {
  if (alloc_fails(ALLOC_PRIVATE)) return NULL;
  void *place = __real_realloc(block, size);
  return block == NULL ? alloc_counted(place) : place;
}

void __wrap_free(void *block) {
  alloc_blocks -= block != NULL;
  __real_free(block);
}

/*
** Sweeping
*/

/* One in so many of Lua's; AddressSanitizer makes all of it dear. */
#if defined(__SANITIZE_ADDRESS__)
#define ALLOC_ONE_IN 5
#define ALLOC_ON_ONE_IN 15
#else
#define ALLOC_ONE_IN 1
#define ALLOC_ON_ONE_IN 3
#endif

/* The ways in which an operation is swept; with Lua's allocations among them only one n in
   `one_in`. */
static const struct {
  struct alloc_fault first;
  unsigned long one_in;
} alloc_ways[] = {
    {{ALLOC_SHARED, false, 1}, 1},  {{ALLOC_SHARED, true, 1}, 1},
    {{ALLOC_PRIVATE, false, 1}, 1}, {{ALLOC_PRIVATE, true, 1}, 1},
    {{ALLOC_LUA, false, 1}, ALLOC_ONE_IN},
    {{ALLOC_LUA, true, 1}, ALLOC_ON_ONE_IN},
    {{ALLOC_ANY, true, 2}, ALLOC_ON_ONE_IN}};

/* Sweeps one operation in all ways that have one of `kinds`. `attempt` sets the scene, operates and
   verifies; it says whether anything was made to fail. One that makes nothing fail
   is no sweep. */
static inline void alloc_sweep(const char *name, unsigned kinds,
                               bool (*attempt)(const void *op, struct alloc_fault fault),
                               const void *op) {
  unsigned long sum = 0;
  for (size_t i = 0; i < sizeof alloc_ways / sizeof *alloc_ways; i++) {
    struct alloc_fault fault = alloc_ways[i].first;
    if ((fault.kinds &= kinds) == 0) continue;
    unsigned long step = fault.kinds & ALLOC_LUA ? alloc_ways[i].one_in : 1;
    if (step == 1) fault.n = 1;
    for (; attempt(op, fault); fault.n += step, sum++) {
      alloc_state->points[fault.kinds]++;
      unit_goes_on();
    }
  }
  if (sum == 0) {
    fprintf(stderr, "%s: nothing was made to fail\n", name);
    _exit(1);
  }
}

/* Runs a case; if it fails, says at which point. */
static inline void alloc_run(const char *name, void (*test)(void)) {
  int failed = unit_failed;
  unit_run(name, test);
  const struct alloc_fault *f = &alloc_state->fault;
  if (unit_failed > failed)
    fprintf(stderr, "  allocation %lu of kinds %#x%s\n", f->n, f->kinds, f->on ? ", and on" : "");
}

/* Prints how many points there were, and ends the program. */
static inline int alloc_end(const char *program) {
  const unsigned long *n = alloc_state->points;
  unsigned long sum = 0;
  for (int kinds = 0; kinds <= ALLOC_ANY; kinds++) sum += n[kinds];
  printf("  allocations made to fail: %lu of shared memory, %lu private, %lu of Lua, %lu mixed\n",
         n[ALLOC_SHARED], n[ALLOC_PRIVATE], n[ALLOC_LUA],
         sum - n[ALLOC_SHARED] - n[ALLOC_PRIVATE] - n[ALLOC_LUA]);
  return unit_end(program);
}

#endif
