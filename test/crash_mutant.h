/*
** Mutants: the operation with one entry of its journal left out (base/point.h). The sweep must fail
** for each, or it would overlook such a mistake in the code.
**
** Not counted are entries that nobody can miss: of a word that the store does not change or that
** the section has stored before (mpl_tx_mutant), or that is in no use once the section is undone.
*/
#ifndef MPL_TEST_CRASH_MUTANT_H
#define MPL_TEST_CRASH_MUTANT_H

#include "crash_stage.h"

/* What a free block keeps where it begins: its header, its links, what it has resident. */
#define CRASH_FREE_BLOCK (5 * sizeof(uint64_t))

struct crash_block {
  mpl_off at;    /* looked for */
  mpl_off end;   /* of the last used block that begins before */
};

static inline bool crash_pass_block(void *arg, mpl_off block) {
  struct crash_block *b = arg;
  const uint64_t header = 2 * sizeof(uint64_t);
  if (block - header <= b->at) b->end = block + mpl_heap_size_of(block);
  return true;
}

/* Whether a word is of an entry of the object table that does not exist yet, or the link of one
   that is in no list. */
static inline bool crash_is_no_object(const void *word) {
  const struct mpl_object_root *objects = &mpl_super()->objects;
  uint64_t count = mpl_load64_rlx(&objects->count), first = 0;
  for (unsigned k = 0; k < MPL_OBJECT_CHUNKS; first += (uint64_t)MPL_OBJECT_CHUNK0 << k++) {
    mpl_off chunk = mpl_load64_rlx(&objects->chunk[k]), at = mpl_arena_off(word);
    uint64_t entries = (uint64_t)MPL_OBJECT_CHUNK0 << k;
    if (chunk == 0 || at < chunk || at >= chunk + entries * sizeof(struct mpl_object)) continue;
    uint64_t index = first + (at - chunk) / sizeof(struct mpl_object);
    if (index == 0 || index >= count) return true;
    const struct mpl_object *e = mpl_object_entry(index);
    return word == &e->next &&
           (mpl_load64_rlx(&e->refs) > 0 || mpl_load64_rlx(&objects->burying) == index);
  }
  return false;
}

/* Whether a word lies beyond the count of a hand, or is the link of a slot that is not free. */
static inline bool crash_is_no_slot(const void *word) {
  for (uint64_t i = 0; i < mpl_slot_count(); i++) {
    const struct mpl_slot *slot = mpl_slot_at(i);
    const mpl_a64 *w = word;
    if (w == &slot->next_free) return mpl_slot_state_of(slot) != MPL_SLOT_FREE;
    if (w >= slot->hand && w < slot->hand + MPL_HAND_MAX)
      return w >= slot->hand + mpl_load64_rlx(&slot->hand_count);
  }
  return false;
}

/* Whether anybody would read a word: it is none of the above, and not inside of a free block. */
static inline bool crash_is_used(const void *word) {
  const char *fault;
  struct crash_block b = {.at = mpl_arena_off(word), .end = mpl_super()->heap.first};
  if (crash_is_no_object(word) || crash_is_no_slot(word)) return false;
  return !mpl_heap_check(crash_pass_block, &b, &fault) || b.at < b.end + CRASH_FREE_BLOCK;
}

/* Whether the word that a mutant cannot undo matters once its section has been rolled back. */
static inline bool crash_matters(struct crash_stage *stage, struct crash_part victim) {
  victim.point = crash_where->point + 1;
  crash_restore(&stage->scene);
  crash_do(&victim);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid != 0) return crash_wait(pid) != CRASH_FINISHED;
  crash_touch();
  _exit(crash_is_used(crash_where->word));
}

/* Looks for a death that shows the mutant, from the one on that follows its entry; no death may do
   as well. *there: there is such an entry at all; *harmless: none can, see crash_matters. */
static inline bool crash_finds(struct crash_stage *stage, enum mpl_mutant kind, unsigned long k,
                               bool *there, bool *harmless) {
  struct crash_part victim = crash_victim(stage, 0);
  victim.mutant = kind;
  victim.entry = k;
  *crash_where = (struct mpl_mutant_place){0};
  crash_restore(&stage->scene);
  enum crash_end end = crash_do(&victim);
  *there = crash_where->point != 0;
  if (!*there) return false;
  unsigned long last = crash_where->point + CRASH_REACH;
  bool found = end != CRASH_FINISHED || !crash_survive(stage, true, true);
  for (victim.point = crash_where->point + 1; !found && victim.point < last; victim.point++) {
    crash_restore(&stage->scene);
    end = crash_do(&victim);
    found = end == CRASH_BROKEN || !crash_survive(stage, end == CRASH_FINISHED, true);
    if (end == CRASH_FINISHED) break;
  }
  if (!found && kind == MPL_MUTANT_STORE && !crash_matters(stage, victim)) *harmless = true;
  return found;
}

/* One worker's share of the entries. What the mutants break is not shown. */
static inline void crash_sweep_mutants(struct crash_stage *stage, unsigned long first,
                                       struct crash_tally *tally) {
  bool show = getenv("MPL_MUTANTS") != NULL;
  int null = open("/dev/null", O_WRONLY), shown = dup(STDERR_FILENO);
  CHECK(null >= 0 && shown >= 0 && dup2(null, STDERR_FILENO) >= 0);
  crash_seconds = CRASH_MUTANT_SECONDS;
  for (enum mpl_mutant kind = MPL_MUTANT_STORE; kind <= MPL_MUTANT_WAKE; kind++) {
    bool there = true;
    for (unsigned long k = first; there; k += CRASH_WORKERS) {
      bool harmless = false, found = crash_finds(stage, kind, k, &there, &harmless);
      if (harmless) continue;
      mpl_add64_ar(&tally->mutants, there);
      mpl_add64_ar(&tally->found, found);
      if (show && there && !found)
        dprintf(shown, "%s: mutant of kind %d, entry %lu, after point %lu, word %#lx lives\n",
                stage->op->name, (int)kind, k, crash_where->point,
                (unsigned long)mpl_arena_off(crash_where->word));
    }
  }
}

#endif
