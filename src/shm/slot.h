/*
** The process table: one slot for each process of the program.
**
** A slot belongs to the process that claimed it until it is recovered. Its identity is its index
** and a generation that changes each time the slot is given back, so that an identity, unlike a
** pid, is never used twice.
**
** The life mutex is locked by its process at birth and never unlocked; the kernel marks it
** owner-dead when the process ends, by whatever way (or replaces itself by exec: either way it is
** no member any more). This is the one test of liveness. Exit codes come from waitpid alone.
**
** The hand: blocks and messages that the process has taken out of a structure, or has
** not yet put into one. Recovery gives them back.
**
** Who writes what: the owner, unless said otherwise. A recoverer takes the owner's place once the
** owner is dead, under `journal_lock` for the journal and under `cleanup_lock` for the rest.
*/
#ifndef MPL_SHM_SLOT_H
#define MPL_SHM_SLOT_H

#include <pthread.h>
#include <sys/types.h>

#include "shm/arena.h"
#include "shm/journal.h"
#include "sync/robust.h"

#define MPL_SLOT_INDEX_BITS 16
#define MPL_SLOT_IDENT_MASK (((uint64_t)1 << 47) - 1) /* an identity fits into 47 bits */
#define MPL_SLOT_CHUNK 32 /* slots in one chunk of the table */
#define MPL_SLOT_CHUNKS 1024
#define MPL_SLOT_NAME 64
#define MPL_HAND_MAX 40

enum mpl_slot_state {
  MPL_SLOT_FREE,
  MPL_SLOT_RESERVED, /* a parent has taken it for a child that has not claimed it yet */
  MPL_SLOT_LIVE,     /* claimed: the life mutex tells whether its process lives */
  MPL_SLOT_ENDED     /* its process said that it ends, and has given back what it held */
};

/* Where a SIGINT comes from that the parent sends. */
enum mpl_slot_interrupt {
  MPL_SLOT_INTERRUPT_NONE,
  MPL_SLOT_INTERRUPT_OWN,   /* the next one is meant for this process alone: Process:interrupt */
  MPL_SLOT_INTERRUPT_PASSED /* the program was interrupted; the process may know it already */
};

/* What lies in a hand: an offset, and in its low bits what it is. */
enum mpl_hand_kind { MPL_HAND_BLOCK = 1, MPL_HAND_MESSAGE = 2 };
#define MPL_HAND_KIND_MASK 15u

/* What a process waits for: a shared object, an item of a queue, room in it, the end of a
   process. */
enum mpl_wait_kind {
  MPL_WAIT_NOTHING,
  MPL_WAIT_OBJECT,
  MPL_WAIT_ITEM,
  MPL_WAIT_ROOM,
  MPL_WAIT_END
};

/* A wait, for others to read: a sequence lock, `serial` is odd while the rest is true. The last
   four may change during the wait; each time it looks again and finds that it has to go on, they
   are what it sleeps on. */
struct mpl_wait_record {
  mpl_a64 serial;
  mpl_a64 kind;    /* enum mpl_wait_kind */
  mpl_a64 on;      /* id of the object or identity of the process */
  mpl_a64 since;   /* ns */
  mpl_a64 endless; /* 1: it has no timeout */
  mpl_a64 word;    /* offset of the word of an event count; 0: none */
  mpl_a64 armed;   /* its value; if the word differs the process was woken, or another one for it */
  mpl_a64 deaths;  /* armed value of the event count of deaths; 0: it does not sleep on that */
  mpl_a64 mortal;  /* identity of a process whose end ends the wait, too; 0: none */
  mpl_a64 life;    /* body of a lifetime whose end ends it, too; 0: none */
};

struct mpl_slot {
  MPL_ALIGNED mpl_a64 ident;  /* generation << 16 | index; changed by whoever frees the slot */
  mpl_a64 state;              /* see mpl_slot_state_of */
  mpl_a64 pid;
  mpl_a64 parent;             /* identity of the parent, 0 for the main program */
  mpl_a64 reserver;           /* who reserved it, while RESERVED; 0: nobody who looks after it */
  mpl_a64 reserved_at;        /* when, ns */
  mpl_a64 forked;             /* generation << 32 | pid of the forked child, 0: not forked yet;
                                 written by the reserver */
  mpl_a64 raw;                /* 1: made by a plain fork(); written by the reserver */
  mpl_a64 daemon;             /* 1: it dies with its parent; written by the reserver */
  mpl_a64 interrupt;          /* enum mpl_slot_interrupt; written by the parent */
  mpl_a64 next_free;          /* free list of the table; under its lock */
  mpl_a64 refs;               /* newest list of references (shm/reflist.c); under the object lock */
  mpl_a64 waiting;            /* event count that the process waits for, for recovery; 0: none */
  mpl_a64 exit_code;          /* exit status + 1 once ENDED; 0: unknown */
  char name[MPL_SLOT_NAME];
  MPL_ALIGNED mpl_a32 doorbell; /* changed by the owner's signal handlers, and by who rings */
  mpl_a32 cpu;                /* CPU + 1 on which the process was last seen; a hint, may be stale */
  mpl_a32 asked_to_look;      /* 1: the owner is to look for a deadlock; written by anyone */
  mpl_a32 polls;              /* 1: the owner sleeps in ppoll, and wants SIGURG (shm/many.c) */
  struct mpl_wait_record wait;
  MPL_ALIGNED pthread_mutex_t life;
  struct mpl_robust journal_lock; /* serialises those who roll the journal back; innermost */
  struct mpl_robust cleanup_lock; /* serialises those who clean up; outermost */
  mpl_a64 hand_count;
  mpl_a64 hand[MPL_HAND_MAX];
  struct mpl_journal journal;
};

struct mpl_slot_root {
  struct mpl_robust lock; /* guards the free list and the growth of the table */
  mpl_a64 free;           /* index + 1 of the first free slot, 0: none */
  mpl_a64 count;          /* slots that exist, free or not; only grows */
  mpl_a64 live;           /* slots that are not free */
  mpl_a64 chunk[MPL_SLOT_CHUNKS]; /* offsets */
};

/* The main program's identity: it takes the first slot. */
#define MPL_SLOT_MAIN ((uint64_t)1 << MPL_SLOT_INDEX_BITS)

/* The slot of this process; NULL before mpl_shm_create. */
extern MPL_PER_PROCESS struct mpl_slot *mpl_self;

enum mpl_status mpl_slot_create(struct mpl_slot_root *root, mpl_off first_chunk);
enum mpl_status mpl_slot_reserve(const char *name, struct mpl_slot **out);
void mpl_slot_release(struct mpl_slot *slot, uint64_t ident);
void mpl_slot_forked(struct mpl_slot *slot, uint64_t ident, pid_t pid);
bool mpl_slot_claim(struct mpl_slot *slot, uint64_t ident);
void mpl_slot_set_name(struct mpl_slot *slot, const char *name);
void mpl_slot_get_name(const struct mpl_slot *slot, char name[MPL_SLOT_NAME]);
struct mpl_slot *mpl_slot_find(uint64_t ident);
struct mpl_slot *mpl_slot_at(uint64_t index);
uint64_t mpl_slot_count(void);
bool mpl_slot_lives(const struct mpl_slot *slot);
bool mpl_slot_ident_lives(uint64_t ident);
mpl_a32 *mpl_slot_life_word(struct mpl_slot *slot);
uint32_t mpl_slot_life_arm(struct mpl_slot *slot);

void mpl_hand_put(struct mpl_slot *slot, mpl_off off, enum mpl_hand_kind kind);
void mpl_hand_take(struct mpl_slot *slot, mpl_off off);
void mpl_hand_turn(struct mpl_slot *slot, mpl_off off, enum mpl_hand_kind kind);

static inline uint64_t mpl_slot_ident(const struct mpl_slot *slot) {
  return mpl_load64_acq(&slot->ident);
}

/* The state stands in one word with the identity that it is the state of, so that nobody changes it
   for the slot's next owner. */
static inline uint64_t mpl_slot_state_word(uint64_t ident, enum mpl_slot_state state) {
  return ident << 3 | (uint64_t)state;
}

static inline enum mpl_slot_state mpl_slot_state_of(const struct mpl_slot *slot) {
  return (enum mpl_slot_state)(mpl_load64_acq(&slot->state) & 7);
}

static inline uint64_t mpl_slot_index(uint64_t ident) {
  return ident & ((1u << MPL_SLOT_INDEX_BITS) - 1);
}

#endif
