/*
** Result codes of every layer below Lua. What may happen in a correct program is a code;
** a broken invariant is an assertion (check.h).
*/
#ifndef MPL_BASE_STATUS_H
#define MPL_BASE_STATUS_H

enum mpl_status {
  MPL_OK = 0,
  MPL_RECOVERED,  /* a lock was taken over from a dead holder; its section was rolled back */
  MPL_BLOCK,      /* cannot be done now: wait and try again */
  MPL_TIMEOUT,    /* the deadline passed */
  MPL_DEADLOCK,   /* nobody can end the wait any more (see shm/deadlock.h) */
  MPL_SIGNAL,     /* a signal wants attention (see proc/signal.h) */
  MPL_CLOSED,     /* the queue was shut down */
  MPL_ENDED,      /* its manager was shut down (see shm/life.h) */
  MPL_NOMEM,      /* out of shared memory */
  MPL_NOPRIVATE,  /* out of private memory */
  MPL_NOSLOT,     /* the process table is full */
  MPL_DAMAGED,    /* recovery failed: this object (only) is unusable */
  MPL_MISUSE,     /* the caller broke a rule of the call */
  MPL_GONE,       /* the object, or the process, is no more */
  MPL_ERRNO       /* a system call failed; errno says how */
};

#endif
