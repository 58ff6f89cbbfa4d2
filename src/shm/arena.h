/*
** The arena: the one mapping that all processes of a program share.
**
** A memfd, mapped once before any fork in a large reserved range and grown by fallocate, so that
** running out of memory is an error of the call that wanted it and never a SIGBUS. Links inside the
** arena are offsets (mpl_off, 0 is none); they are checked against what is populated whenever they
** are followed, in every build. No pointer and no address of a process is ever stored in it.
*/
#ifndef MPL_SHM_ARENA_H
#define MPL_SHM_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"

typedef uint64_t mpl_off;

#define MPL_CACHE_LINE 64
#define MPL_ALIGNED _Alignas(MPL_CACHE_LINE)

/* Data of one process. Where threads stand in for processes (ThreadSanitizer), each has its own. */
#if defined(MPL_TEST_THREADS)
#define MPL_PER_PROCESS _Thread_local
#else
#define MPL_PER_PROCESS
#endif

/* Where this process sees the arena; the same in all children, they inherit the mapping. */
struct mpl_arena_view {
  unsigned char *base; /* NULL: no arena yet */
  mpl_a64 *populated; /* bytes from the start that have memory; in the superblock */
  uint64_t reserve;
  int fd;
};

extern struct mpl_arena_view mpl_arena;

enum mpl_status mpl_arena_create(uint64_t size, mpl_a64 *(*populated_of)(void *base));
enum mpl_status mpl_arena_populate(uint64_t offset, uint64_t size);
void mpl_arena_destroy(void);

/* The `size` bytes at `off`; ends the process if they do not lie in populated memory. */
static inline void *mpl_arena_at(mpl_off off, uint64_t size) {
  uint64_t limit = mpl_load64_rlx(mpl_arena.populated);
  MPL_ASSERT(off != 0 && off <= limit && size <= limit - off);
  return mpl_arena.base + off;
}

#define MPL_AT(type, off) ((type *)mpl_arena_at((off), sizeof(type)))

static inline mpl_off mpl_arena_off(const void *p) {
  return (mpl_off)((const unsigned char *)p - mpl_arena.base);
}

#endif
