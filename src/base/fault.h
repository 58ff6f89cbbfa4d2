/*
** Fault points. In the test build every request for shared memory, be it a block of the heap or
** memory for the arena itself, first asks a function of the test whether it is to fail. (Private
** memory needs no such points: a test program is linked with a malloc of its own.) In other builds
** a point is nothing.
*/
#ifndef MPL_BASE_FAULT_H
#define MPL_BASE_FAULT_H

#include <stdbool.h>

#if defined(MPL_TEST)

/* NULL: nothing fails. */
extern bool (*mpl_fault)(void);

#define MPL_FAULT() (mpl_fault != NULL && mpl_fault())

#else
#define MPL_FAULT() false
#endif

#endif
