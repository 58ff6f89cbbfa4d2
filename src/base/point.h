/*
** Crash points. In the test build every journalled store, publish, lock, unlock, wake and system
** call of the layers below Lua passes a numbered point, at which a test can have the process die by
** SIGKILL; so do plain stores of which a death between two would matter. In other builds a point is
** nothing.
**
** Mutants. A test of such tests has the process leave out one entry of its journal, and sees that
** they fail. In other builds there are none.
*/
#ifndef MPL_BASE_POINT_H
#define MPL_BASE_POINT_H

#include <stdbool.h>

#if defined(MPL_TEST)

/* Counts one point and dies there if it is the armed one. */
void mpl_point_pass(void);

/* Dies at the n-th point from now (1 is the next); 0 disarms. Counting starts anew. A child of a
   process that is armed goes on from its parent's count. */
void mpl_point_arm(unsigned long n);

/* The same, but stops at the point as by SIGSTOP instead of dying. */
void mpl_point_arm_stop(unsigned long n);

/* Calls f at each point with its number, and dies at none. */
void mpl_point_watch(void (*f)(unsigned long n));

/* What is left out: */
enum mpl_mutant {
  MPL_MUTANT_NONE,
  MPL_MUTANT_STORE,   /* the old value: the store cannot be undone */
  MPL_MUTANT_PUBLISH, /* the delay: the word is published before the commit */
  MPL_MUTANT_WAKE     /* the whole record: nobody is woken */
};

/* Where it was. */
struct mpl_mutant_place {
  unsigned long point; /* passed since they were armed */
  const void *word;    /* that the entry is about */
};

/* Whether this entry, the next of its kind, is the one to leave out. */
bool mpl_mutant_pass(enum mpl_mutant kind, const void *word);

/* Leaves out the k-th entry of this kind from now (1 is the next), and then fills *place. */
void mpl_mutant_arm(enum mpl_mutant kind, unsigned long k, struct mpl_mutant_place *place);

#define MPL_POINT() mpl_point_pass()
#define MPL_MUTANT(kind, word) mpl_mutant_pass(kind, word)

#else
#define MPL_POINT() ((void)0)
#define MPL_MUTANT(kind, word) false
#endif

#endif
