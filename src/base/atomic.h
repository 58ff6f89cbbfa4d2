/*
** Atomics with the memory order in the name. The only file that includes <stdatomic.h>.
**
**   rlx  relaxed: atomicity alone
**   acq  acquire: nothing after it moves before it
**   rel  release: nothing before it moves after it
**   ar   acquire and release
**   sc   sequentially consistent
**
** Shared words are 32 bits (futex words) or 64 bits (everything else); elements of arrays may be of
** 8 or 16, too. They lie in memory shared between processes, so they must be lock-free; this is
** asserted below.
**
** mpl_fence_death() is an ordering against one's own death only: the stores of a killed process
** reach memory in program order up to the instruction at which it died, so that what has to be
** kept apart is the compiler's order, not the processor's.
*/
#ifndef MPL_BASE_ATOMIC_H
#define MPL_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint8_t mpl_a8;
typedef _Atomic uint16_t mpl_a16;
typedef _Atomic uint32_t mpl_a32;
typedef _Atomic uint64_t mpl_a64;

_Static_assert(ATOMIC_CHAR_LOCK_FREE == 2 && ATOMIC_SHORT_LOCK_FREE == 2 &&
               ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
               "shared words need lock-free atomics");

/* For words of every size. */
#define MPL_ATOMIC_CELL_OPS(NAME, WORD, VALUE) \
  static inline VALUE mpl_load##NAME##_acq(const WORD *p) { \
    return atomic_load_explicit(p, memory_order_acquire); } \
  static inline void mpl_store##NAME##_rel(WORD *p, VALUE v) { \
    atomic_store_explicit(p, v, memory_order_release); } \
  /* Strong: fails only if *p differs from *expected, which then holds what was found. */ \
  static inline bool mpl_cas##NAME##_ar(WORD *p, VALUE *expected, VALUE v) { \
    return atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_acq_rel, \
                                                   memory_order_acquire); }

#define MPL_ATOMIC_OPS(NAME, WORD, VALUE) \
  MPL_ATOMIC_CELL_OPS(NAME, WORD, VALUE) \
  static inline VALUE mpl_load##NAME##_rlx(const WORD *p) { \
    return atomic_load_explicit(p, memory_order_relaxed); } \
  static inline void mpl_store##NAME##_rlx(WORD *p, VALUE v) { \
    atomic_store_explicit(p, v, memory_order_relaxed); } \
  static inline VALUE mpl_add##NAME##_ar(WORD *p, VALUE v) { \
    return atomic_fetch_add_explicit(p, v, memory_order_acq_rel); } \
  static inline VALUE mpl_or##NAME##_ar(WORD *p, VALUE v) { \
    return atomic_fetch_or_explicit(p, v, memory_order_acq_rel); } \
  static inline VALUE mpl_and##NAME##_ar(WORD *p, VALUE v) { \
    return atomic_fetch_and_explicit(p, v, memory_order_acq_rel); } \
  static inline VALUE mpl_swap##NAME##_ar(WORD *p, VALUE v) { \
    return atomic_exchange_explicit(p, v, memory_order_acq_rel); }

MPL_ATOMIC_CELL_OPS(8, mpl_a8, uint8_t)
MPL_ATOMIC_CELL_OPS(16, mpl_a16, uint16_t)
MPL_ATOMIC_OPS(32, mpl_a32, uint32_t)
MPL_ATOMIC_OPS(64, mpl_a64, uint64_t)

/* Orders a store before a later load: the two sides of "publish, then look for waiters" and
   "say that one waits, then look again". */
static inline void mpl_fence_sc(void) {
  atomic_thread_fence(memory_order_seq_cst);
}

static inline void mpl_fence_death(void) {
  atomic_signal_fence(memory_order_seq_cst);
}

static inline void mpl_cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#else
  mpl_fence_death();
#endif
}

#endif
