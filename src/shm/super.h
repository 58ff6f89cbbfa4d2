/*
** The superblock: what stands at the start of the arena.
*/
#ifndef MPL_SHM_SUPER_H
#define MPL_SHM_SUPER_H

#include "shm/arena.h"
#include "shm/heap.h"
#include "shm/object.h"
#include "shm/slot.h"

#define MPL_SUPER_MAGIC 0x314d48534c504dULL /* "MPLSHM1" */
#define MPL_SUPER_VERSION 1

/* Lock order: a lock may be taken only by a holder of none, or of locks of lower rank.
   See doc/locking.md. */
enum mpl_rank {
  MPL_RANK_CLEANUP = 10, /* a dead process's slot, by its recoverer */
  MPL_RANK_GRAVE = 20,   /* objects that nobody refers to any more */
  MPL_RANK_STRUCTURE = 30, /* structures of ds/; a dict's locks go up to 38 */
  MPL_RANK_TABLE = 50,   /* the process table */
  MPL_RANK_OBJECT = 60,  /* the object table and all references */
  MPL_RANK_HEAP = 70,
  MPL_RANK_JOURNAL = 90  /* a dead process's journal, by its recoverer */
};

struct mpl_super {
  uint64_t magic;
  uint32_t version;
  uint32_t stamp; /* sizes and alignments folded into one number; see the checker */
  struct mpl_heap_root heap;
  struct mpl_slot_root slots;
  struct mpl_object_root objects;
  struct mpl_robust parcel_lock; /* see ds/parcel.c */
  mpl_a64 parcel_turns;          /* guarded by it */
  MPL_ALIGNED mpl_a64 rolled_back; /* sections that recovery found open, since the start */
  mpl_a64 taken_over;              /* locks that were got from a dead holder */
  mpl_a64 recovered;               /* processes that recovery cleaned up after */
  mpl_a64 deaths;                  /* changes before those who waited with a dead one are woken */
  MPL_ALIGNED mpl_a32 bell;        /* those who wait for many things sleep on it (shm/many.c) */
  struct mpl_ec died;              /* a process was cleaned up after */
  mpl_a64 looked_at;               /* when a sleeper last looked at the process table, ns */
};

enum mpl_status mpl_shm_create(void);
bool mpl_shm_check(const char **fault);

static inline struct mpl_super *mpl_super(void) {
  return (struct mpl_super *)mpl_arena.base;
}

#endif
