/*
** The heap: blocks of the arena.
**
** A two-level segregated fit (Masmano, Ripoll, Crespo, Real: "TLSF: a new dynamic memory allocator
** for real-time systems", ECRTS 2004): free blocks stand in lists by size class, last in first out,
** so that hot memory is used again first; neighbours that are free are one block.
**
** Whenever the lock is free:
**   - the blocks lie side by side from `first` to the end mark, each knows its own size and its
**     predecessor's, and no two neighbours are both free;
**   - a block is in a list exactly if it is free, in the list of its size's class, and a class's
**     bit is set exactly if its list is not empty;
**   - every used block has one owner: a structure, or the hand of a process (shm/slot.h).
**
** All functions take offsets of a block's content. Allocation puts the block into the caller's
** hand, freeing takes it from a hand, each in the same section, so that a block is never without
** owner.
*/
#ifndef MPL_SHM_HEAP_H
#define MPL_SHM_HEAP_H

#include "shm/arena.h"
#include "sync/robust.h"

#define MPL_HEAP_ALIGN 16

/* Classes: 8 for each power of two from 2^5 up to 2^40. */
#define MPL_HEAP_STEPS 8
#define MPL_HEAP_CLASSES (36 * MPL_HEAP_STEPS)
#define MPL_HEAP_MAP_WORDS ((MPL_HEAP_CLASSES + 63) / 64)

struct mpl_heap_root {
  struct mpl_robust lock; /* guards all below and every block header */
  mpl_a64 populated;      /* bytes of the arena that have memory; read by anyone to check offsets */
  uint64_t cap;           /* the arena may grow up to this; fixed at creation */
  uint64_t keep;          /* resident free bytes above this are given back; fixed at creation */
  uint64_t first;         /* header of the first block; fixed at creation */
  mpl_a64 end;            /* header of the end mark */
  mpl_a64 used;           /* bytes of used blocks, headers included */
  mpl_a64 resident_free;  /* bytes of large free blocks whose memory was not given back */
  mpl_a64 map[MPL_HEAP_MAP_WORDS];
  mpl_a64 list[MPL_HEAP_CLASSES];
};

struct mpl_slot;
struct mpl_heap_info {
  uint64_t used, populated, cap;
};

enum mpl_status mpl_heap_create(struct mpl_heap_root *heap, uint64_t first, uint64_t end,
                                uint64_t cap);
enum mpl_status mpl_heap_alloc(uint64_t size, mpl_off *out);
void mpl_heap_free(struct mpl_slot *holder, mpl_off block);
void mpl_heap_trim(void);
uint64_t mpl_heap_size_of(mpl_off block);
void mpl_heap_info(struct mpl_heap_info *info);
bool mpl_heap_check(bool (*visit)(void *arg, mpl_off block), void *arg, const char **fault);

#endif
