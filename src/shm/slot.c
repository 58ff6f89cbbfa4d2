/*
** The process table: see slot.h.
*/
#include "shm/slot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/point.h"
#include "shm/object.h"
#include "shm/recover.h"
#include "shm/super.h"

/* Robust futex words, as the kernel and the C library write them. */
#define FUTEX_DIED 0x40000000u
#define FUTEX_HAS_WAITERS 0x80000000u
#define FUTEX_TID 0x3fffffffu

MPL_PER_PROCESS struct mpl_slot *mpl_self;

static struct mpl_slot_root *root(void) {
  return &mpl_super()->slots;
}

/*
** Finding slots
*/

/* The slot of an index below mpl_slot_count(). */
struct mpl_slot *mpl_slot_at(uint64_t index) {
  MPL_ASSERT(index < mpl_load64_acq(&root()->count));
  mpl_off chunk = mpl_load64_rlx(&root()->chunk[index / MPL_SLOT_CHUNK]);
  return MPL_AT(struct mpl_slot, chunk + index % MPL_SLOT_CHUNK * sizeof(struct mpl_slot));
}

/* How many slots there are, free ones included; their indices are below that. */
uint64_t mpl_slot_count(void) {
  return mpl_load64_acq(&root()->count);
}

/* The slot with this identity; NULL if it has been given back (its process was recovered). */
struct mpl_slot *mpl_slot_find(uint64_t ident) {
  uint64_t index = mpl_slot_index(ident);
  if (ident == 0 || index >= mpl_slot_count()) return NULL;
  struct mpl_slot *slot = mpl_slot_at(index);
  return mpl_slot_ident(slot) == ident ? slot : NULL;
}

/*
** Life
*/

/* The futex word inside the life mutex: a sleeper on it is woken by the kernel when the process
   dies. Relies on the C library's layout, which its ABI fixes. */
mpl_a32 *mpl_slot_life_word(struct mpl_slot *slot) {
  return (mpl_a32 *)(void *)&slot->life.__data.__lock;
}

/* False once the process of a claimed slot has ended. A slot that is reserved counts as alive. */
bool mpl_slot_lives(const struct mpl_slot *slot) {
  enum mpl_slot_state state = mpl_slot_state_of(slot);
  if (state == MPL_SLOT_FREE) return false;
  if (state == MPL_SLOT_RESERVED) return true;
  uint32_t word = mpl_load32_acq(mpl_slot_life_word((struct mpl_slot *)slot));
  return (word & FUTEX_DIED) == 0 && (word & FUTEX_TID) != 0;
}

/* Whether the process of this identity is still a living member. */
bool mpl_slot_ident_lives(uint64_t ident) {
  struct mpl_slot *slot = mpl_slot_find(ident);
  return slot != NULL && mpl_slot_lives(slot);
}

/* Asks the kernel to wake a sleeper on the life word when the process dies; returns the value to
   sleep on. The kernel wakes one sleeper; that one wakes the others (shm/wait.c). */
uint32_t mpl_slot_life_arm(struct mpl_slot *slot) {
  mpl_a32 *word = mpl_slot_life_word(slot);
  uint32_t v = mpl_load32_acq(word);
  while ((v & FUTEX_HAS_WAITERS) == 0 && (v & FUTEX_DIED) == 0 && (v & FUTEX_TID) != 0)
    if (mpl_cas32_ar(word, &v, v | FUTEX_HAS_WAITERS)) {
      MPL_POINT();
      return v | FUTEX_HAS_WAITERS;
    }
  return v;
}

/* Makes the life mutex anew for the next process of the slot. The last one is dead or has never
   been: nobody holds or waits for the mutex. */
static enum mpl_status life_init(struct mpl_slot *slot) {
  pthread_mutexattr_t attr;
  int e = pthread_mutexattr_init(&attr);
  if (e != 0) return errno = e, MPL_ERRNO;
  pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  e = pthread_mutex_init(&slot->life, &attr);
  pthread_mutexattr_destroy(&attr);
  return e == 0 ? MPL_OK : (errno = e, MPL_ERRNO);
}

/*
** Making and growing the table
*/

static enum mpl_status chunk_init(mpl_off chunk, uint64_t first) {
  memset(mpl_arena_at(chunk, MPL_SLOT_CHUNK * sizeof(struct mpl_slot)), 0,
         MPL_SLOT_CHUNK * sizeof(struct mpl_slot));
  for (uint64_t i = 0; i < MPL_SLOT_CHUNK; i++) {
    struct mpl_slot *slot = MPL_AT(struct mpl_slot, chunk + i * sizeof(struct mpl_slot));
    mpl_store64_rlx(&slot->ident, (uint64_t)1 << MPL_SLOT_INDEX_BITS | (first + i));
    if (mpl_robust_init(&slot->journal_lock, MPL_RANK_JOURNAL) != MPL_OK ||
        mpl_robust_init(&slot->cleanup_lock, MPL_RANK_CLEANUP) != MPL_OK)
      return MPL_ERRNO;
    if (i + 1 < MPL_SLOT_CHUNK) mpl_store64_rlx(&slot->next_free, first + i + 2);
  }
  return MPL_OK;
}

/* Makes the table with its first chunk, of which the caller takes slot 0 for itself. Only before
   anybody else can see the arena; there is no journal yet. */
enum mpl_status mpl_slot_create(struct mpl_slot_root *slots, mpl_off first_chunk) {
  if (mpl_robust_init(&slots->lock, MPL_RANK_TABLE) != MPL_OK ||
      chunk_init(first_chunk, 0) != MPL_OK)
    return MPL_ERRNO;
  mpl_store64_rlx(&slots->chunk[0], first_chunk);
  mpl_store64_rlx(&slots->count, MPL_SLOT_CHUNK);
  mpl_store64_rlx(&slots->free, 2);
  mpl_store64_rlx(&slots->live, 1);
  struct mpl_slot *slot = mpl_slot_at(0);
  if (life_init(slot) != MPL_OK) return MPL_ERRNO;
  mpl_store64_rlx(&slot->state, mpl_slot_state_word(mpl_slot_ident(slot), MPL_SLOT_RESERVED));
  return mpl_slot_claim(slot, mpl_slot_ident(slot)) ? MPL_OK : MPL_ERRNO;
}

/* Adds a chunk of slots; the table's lock is not held. */
static enum mpl_status grow(void) {
  mpl_off chunk;
  enum mpl_status s =
      mpl_recover_alloc(MPL_SLOT_CHUNK * sizeof(struct mpl_slot) + MPL_CACHE_LINE, &chunk);
  if (s != MPL_OK) return s;
  mpl_off aligned = (chunk + MPL_CACHE_LINE - 1) & ~(mpl_off)(MPL_CACHE_LINE - 1);
  if (mpl_robust_lock(&root()->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  uint64_t count = mpl_load64_rlx(&root()->count);
  bool wanted = mpl_load64_rlx(&root()->free) == 0;
  s = wanted && count / MPL_SLOT_CHUNK >= MPL_SLOT_CHUNKS ? MPL_NOSLOT : MPL_OK;
  if (s == MPL_OK && wanted) s = chunk_init(aligned, count);
  MPL_POINT();
  if (s == MPL_OK && wanted) {
    mpl_hand_take(mpl_self, chunk);
    mpl_tx_store(&root()->chunk[count / MPL_SLOT_CHUNK], aligned);
    mpl_tx_store(&root()->free, count + 1);
    mpl_tx_publish(&root()->count, count + MPL_SLOT_CHUNK);
    mpl_tx_commit();
  }
  mpl_robust_unlock(&root()->lock);
  if (s != MPL_OK || !wanted) mpl_heap_free(mpl_self, chunk);
  return s;
}

/*
** Reserving, claiming, giving back
*/

static uint64_t forked_word(uint64_t ident, pid_t pid) {
  return ident >> MPL_SLOT_INDEX_BITS << 32 | (uint64_t)pid;
}

/* Pops a free slot and makes it RESERVED by the caller; the table's lock is held. */
static enum mpl_status pop(struct mpl_slot **out) {
  uint64_t first = mpl_load64_rlx(&root()->free);
  if (first == 0) return MPL_BLOCK;
  struct mpl_slot *slot = mpl_slot_at(first - 1);
  if (life_init(slot) != MPL_OK) return MPL_ERRNO;
  MPL_POINT();
  mpl_store64_rlx(&slot->reserver, mpl_slot_ident(mpl_self));
  MPL_POINT();
  mpl_store64_rlx(&slot->reserved_at, (uint64_t)mpl_os_now());
  mpl_store64_rlx(&slot->forked, forked_word(mpl_slot_ident(slot), 0));
  mpl_tx_store(&root()->free, mpl_load64_rlx(&slot->next_free));
  mpl_tx_store(&root()->live, mpl_load64_rlx(&root()->live) + 1);
  /* Published: who sees the state also sees who reserved it and when. */
  mpl_tx_publish(&slot->state, mpl_slot_state_word(mpl_slot_ident(slot), MPL_SLOT_RESERVED));
  mpl_tx_commit();
  *out = slot;
  return MPL_OK;
}

/*
** Takes a slot for a child that the caller is about to fork. MPL_OK; MPL_NOSLOT, MPL_NOMEM or
** MPL_ERRNO and nothing has changed. Afterwards the child claims it, or the caller releases it.
*/
enum mpl_status mpl_slot_reserve(const char *name, struct mpl_slot **out) {
  enum mpl_status s;
  do {
    if (mpl_robust_lock(&root()->lock) == MPL_DAMAGED) return MPL_DAMAGED;
    s = pop(out);
    mpl_robust_unlock(&root()->lock);
    if (s == MPL_BLOCK && (s = grow()) == MPL_OK) s = MPL_BLOCK;
  } while (s == MPL_BLOCK);
  if (s != MPL_OK) return s;
  struct mpl_slot *slot = *out;
  MPL_POINT();
  mpl_store64_rlx(&slot->parent, mpl_slot_ident(mpl_self));
  mpl_store64_rlx(&slot->pid, 0);
  mpl_store64_rlx(&slot->raw, 0);
  mpl_store64_rlx(&slot->daemon, 0);
  mpl_store64_rlx(&slot->interrupt, MPL_SLOT_INTERRUPT_NONE);
  mpl_store64_rlx(&slot->waiting, 0);
  mpl_store32_rlx(&slot->asked_to_look, 0);
  mpl_store32_rlx(&slot->polls, 0);
  mpl_store64_rlx(&slot->wait.serial, (mpl_load64_rlx(&slot->wait.serial) | 1) + 1);
  mpl_store64_rlx(&slot->exit_code, 0);
  MPL_POINT();
  mpl_slot_set_name(slot, name);
  return MPL_OK;
}

/* The reserver has forked the child: whoever finds the slot unclaimed can tell whether it will be
   claimed. By now the child may have ended and the slot may be another's. */
void mpl_slot_forked(struct mpl_slot *slot, uint64_t ident, pid_t pid) {
  uint64_t not_yet = forked_word(ident, 0);
  mpl_cas64_ar(&slot->forked, &not_yet, forked_word(ident, pid));
  MPL_POINT();
}

/* The identity after this one; generations start anew after 2^31 of them. */
static uint64_t next_ident(uint64_t ident) {
  uint64_t next = (ident + ((uint64_t)1 << MPL_SLOT_INDEX_BITS)) & MPL_SLOT_IDENT_MASK;
  return next >> MPL_SLOT_INDEX_BITS != 0 ? next : next + ((uint64_t)1 << MPL_SLOT_INDEX_BITS);
}

/*
** Gives a slot back whose process never was, or has been cleaned up after. `ident` is what the
** caller took it for: if it has another identity by now somebody else was quicker and nothing
** happens. Nothing may hang off the slot any more. The journal lock keeps the identity from
** changing under somebody who is about to roll back.
*/
void mpl_slot_release(struct mpl_slot *slot, uint64_t ident) {
  if (mpl_robust_lock(&root()->lock) == MPL_DAMAGED) return;
  mpl_robust_lock(&slot->journal_lock);
  if (mpl_slot_ident(slot) == ident && mpl_slot_state_of(slot) != MPL_SLOT_FREE) {
    uint64_t index = mpl_slot_index(ident);
    mpl_tx_store(&slot->next_free, mpl_load64_rlx(&root()->free));
    mpl_tx_store(&slot->state, mpl_slot_state_word(next_ident(ident), MPL_SLOT_FREE));
    /* Published: who finds the old identity gone also finds all rolled back. */
    mpl_tx_publish(&slot->ident, next_ident(ident));
    mpl_tx_store(&root()->free, index + 1);
    mpl_tx_store(&root()->live, mpl_load64_rlx(&root()->live) - 1);
    mpl_tx_commit();
  }
  mpl_robust_unlock(&slot->journal_lock);
  mpl_robust_unlock(&root()->lock);
}

/* Makes a reserved slot the caller's own. False if it was taken back because the parent died during
   the fork and the caller came too late; then it is no member and must end. */
bool mpl_slot_claim(struct mpl_slot *slot, uint64_t ident) {
  MPL_POINT();
  if (mpl_slot_ident(slot) != ident || pthread_mutex_trylock(&slot->life) != 0) return false;
  MPL_POINT();
  uint64_t reserved = mpl_slot_state_word(ident, MPL_SLOT_RESERVED);
  if (!mpl_cas64_ar(&slot->state, &reserved, mpl_slot_state_word(ident, MPL_SLOT_LIVE))) {
    pthread_mutex_unlock(&slot->life);
    return false;
  }
  MPL_POINT();
  mpl_store64_rlx(&slot->pid, (uint64_t)mpl_os_pid());
  mpl_store32_rlx(&slot->cpu, 0);
  mpl_self = slot;
  mpl_tx = &slot->journal;
  mpl_robust_set_self(ident);
  MPL_POINT();
  return true;
}

/* Sets the name that reports show, cut to what fits. Owner, or reserver. */
void mpl_slot_set_name(struct mpl_slot *slot, const char *name) {
  snprintf(slot->name, sizeof slot->name, "%s", name);
}

/* Copies the name; it may be that of the slot's next owner, or half of each, if it is just
   changing. */
void mpl_slot_get_name(const struct mpl_slot *slot, char name[MPL_SLOT_NAME]) {
  memcpy(name, slot->name, MPL_SLOT_NAME);
  name[MPL_SLOT_NAME - 1] = '\0';
}

/*
** The hand. All within a section of the caller; `slot` is its own or that of a dead process it
** cleans up after.
*/

/* Puts something into the hand. */
void mpl_hand_put(struct mpl_slot *slot, mpl_off off, enum mpl_hand_kind kind) {
  uint64_t n = mpl_load64_rlx(&slot->hand_count);
  MPL_ASSERT(n < MPL_HAND_MAX);
  /* Journalled although it lies beyond the count: the same section may have taken what lay
     there. */
  mpl_tx_store(&slot->hand[n], off | (uint64_t)kind);
  mpl_tx_store(&slot->hand_count, n + 1);
}

static uint64_t hand_find(struct mpl_slot *slot, mpl_off off) {
  uint64_t n = mpl_load64_rlx(&slot->hand_count);
  while (n-- > 0)
    if ((mpl_load64_rlx(&slot->hand[n]) & ~(uint64_t)MPL_HAND_KIND_MASK) == off) return n;
  mpl_check_failed("a thing that should be in hand is not", __FILE__, __LINE__);
}

/* Takes it out again: it has another owner from the commit on. */
void mpl_hand_take(struct mpl_slot *slot, mpl_off off) {
  uint64_t last = mpl_load64_rlx(&slot->hand_count) - 1, i = hand_find(slot, off);
  if (i != last) mpl_tx_store(&slot->hand[i], mpl_load64_rlx(&slot->hand[last]));
  mpl_tx_store(&slot->hand_count, last);
}

/* Changes what it is. */
void mpl_hand_turn(struct mpl_slot *slot, mpl_off off, enum mpl_hand_kind kind) {
  mpl_tx_store(&slot->hand[hand_find(slot, off)], off | (uint64_t)kind);
}
