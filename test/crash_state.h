/*
** States of the arena, told apart by a number: the same bytes, the same number. A death that leaves
** what another has left before needs no second look.
**
** Not counted among the bytes: what lies beyond the counts of a journal or of a hand, pids and
** times in the process table, and the sums of super.h that only tell how often recovery had work.
** The thread ids of the dead and of the living, in the locks that they hold, count as the same in
** every trial.
**
** The number of a part, a slot or a page, is kept until the part changes.
*/
#ifndef MPL_TEST_CRASH_STATE_H
#define MPL_TEST_CRASH_STATE_H

#include <stddef.h>
#include <sys/mman.h>

#include "world.h"

#define STATE_PAGE 4096u
#define STATE_PART MPL_CACHE_LINE /* no two parts begin in the same so many bytes */
#define STATE_SEEN ((size_t)1 << 19) /* a power of two, more than there are states */

struct crash_states {
  unsigned char *copy; /* of the arena when its parts were last numbered */
  uint64_t *known;     /* the numbers of the parts */
  uint64_t top;        /* the memory between here and the last page is untouched */
  uint64_t survivor, dead, self; /* thread ids */
};

static inline void *crash_shared(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

/* The bits of a word of a robust lock that are a thread id. */
#define STATE_TID 0x3fffffffu

static inline uint64_t state_half(const struct crash_states *states, uint64_t half) {
  uint64_t id = half & STATE_TID;
  if (id == states->survivor) return half - id + 1;
  if (id == states->dead) return half - id + 2;
  return id == states->self ? half - id + 3 : half;
}

static inline uint64_t state_mix(uint64_t h, uint64_t word) {
  h = (h ^ word) * 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

static inline uint64_t state_bytes(const struct crash_states *states, uint64_t h, const void *from,
                                   size_t size) {
  const uint64_t *word = from;
  for (size_t i = 0; i < size / sizeof *word; i++) {
    uint64_t low = word[i] & UINT32_MAX, high = word[i] >> 32;
    if (word[i] != 0) low = state_half(states, low), high = state_half(states, high);
    h = state_mix(h, high << 32 | low);
  }
  return h;
}

/* The head of a slot, but for what differs from trial to trial: when it was reserved, and for which
   pid; the life mutex of a dead process still names that. */
static inline uint64_t state_head(const struct crash_states *states, uint64_t h,
                                  const struct mpl_slot *slot) {
  const size_t from = offsetof(struct mpl_slot, interrupt), life = offsetof(struct mpl_slot, life);
  const size_t locks = offsetof(struct mpl_slot, journal_lock);
  const unsigned char *bytes = (const unsigned char *)slot;
  h = state_bytes(states, h, bytes, offsetof(struct mpl_slot, pid));
  h = state_bytes(states, h, &slot->parent, 2 * sizeof slot->parent);
  h = state_bytes(states, h, bytes + from, life - from);
  h = state_mix(h, state_half(states, (uint64_t)slot->life.__data.__lock & UINT32_MAX));
  return state_bytes(states, h, bytes + locks, offsetof(struct mpl_slot, hand) - locks);
}

/* What a slot's hand and journal count. */
static inline uint64_t state_counted(const struct crash_states *states, uint64_t h,
                                     const struct mpl_slot *slot) {
  const struct mpl_journal *j = &slot->journal;
  h = state_bytes(states, h, slot->hand, slot->hand_count * sizeof *slot->hand);
  h = state_bytes(states, h, j, offsetof(struct mpl_journal, undo));
  h = state_bytes(states, h, j->undo, j->nundo * sizeof *j->undo);
  h = state_bytes(states, h, j->publish, j->npublish * sizeof *j->publish);
  return state_bytes(states, h, j->wake, j->nwake * sizeof *j->wake);
}

/* The number of a part of the arena, kept until the part changes; `slot`: it is the head of one. */
static inline uint64_t state_part(struct crash_states *states, uint64_t from, uint64_t size,
                                  bool slot) {
  uint64_t *known = &states->known[from / STATE_PART];
  const unsigned char *now = mpl_arena.base + from;
  if (*known != 0 && memcmp(states->copy + from, now, size) == 0) return *known;
  memcpy(states->copy + from, now, size);
  *known = slot ? state_head(states, from, (const struct mpl_slot *)(const void *)now)
                : state_bytes(states, from, now, size);
  return *known |= 1;
}

/* The number of the present state. The caller may be in the middle of anything. */
static inline uint64_t crash_state(struct crash_states *states) {
  const struct mpl_super *super = mpl_super();
  uint64_t size = super->heap.populated, at = super->heap.first, next;
  uint64_t h = state_part(states, 0, offsetof(struct mpl_super, rolled_back), false);
  for (uint64_t i = 0; i < MPL_SLOT_CHUNK; i++) {
    const struct mpl_slot *slot = mpl_slot_at(i);
    h = state_mix(h, state_part(states, mpl_arena_off(slot), offsetof(struct mpl_slot, hand),
                                true));
    h = state_counted(states, h, slot);
  }
  for (; at < size; at = next) {
    next = (at | (STATE_PAGE - 1)) + 1;
    if (at < states->top || next == size)
      h = state_mix(h, state_part(states, at, next - at, false));
  }
  return h;
}

static inline bool state_is_zero(uint64_t at) {
  static const unsigned char zero[STATE_PAGE];
  return memcmp(mpl_arena.base + at, zero, STATE_PAGE) == 0;
}

/* Whether memory beyond what is looked at is still as it was made: zero. The last page counts. */
static inline bool crash_states_cover(const struct crash_states *states) {
  uint64_t at = states->top, last = mpl_super()->heap.populated - STATE_PAGE;
  while (at < last && state_is_zero(at)) at += STATE_PAGE;
  return at >= last;
}

/* Looks no farther than at what was written, and a little more. */
static inline void crash_states_narrow(struct crash_states *states) {
  states->top = mpl_super()->heap.populated - STATE_PAGE;
  while (state_is_zero(states->top - STATE_PAGE)) states->top -= STATE_PAGE;
  states->top += 4 * STATE_PAGE;
}

static inline void crash_states_make(struct crash_states *states, size_t arena) {
  *states = (struct crash_states){.copy = calloc(arena, 1),
                                  .survivor = (uint64_t)getpid(),
                                  .known = calloc(arena / STATE_PART, sizeof *states->known)};
  CHECK(states->copy != NULL && states->known != NULL);
}

/* Enters a state into a set that several processes share; false if it was there. */
static inline bool crash_is_new(mpl_a64 *seen, uint64_t state) {
  for (size_t i = state & (STATE_SEEN - 1), n = 0; n < STATE_SEEN;
       n++, i = (i + 1) & (STATE_SEEN - 1)) {
    uint64_t found = 0;
    if (mpl_cas64_ar(&seen[i], &found, state | 1)) return true;
    if (found == (state | 1)) return false;
  }
  FAIL("more states than expected");
}

#endif
