/*
** Crash points. In the test build every journalled store, publish, lock, unlock, wake and system
** call of the layers below Lua passes a numbered point, at which a test can have the process die by
** SIGKILL. In other builds a point is nothing.
*/
#ifndef MPL_BASE_POINT_H
#define MPL_BASE_POINT_H

#if defined(MPL_TEST)

/* Counts one point and dies there if it is the armed one. */
void mpl_point_pass(void);

/* Dies at the n-th point from now (1 is the next); 0 disarms. Counting starts anew. */
void mpl_point_arm(unsigned long n);

#define MPL_POINT() mpl_point_pass()

#else
#define MPL_POINT() ((void)0)
#endif

#endif
