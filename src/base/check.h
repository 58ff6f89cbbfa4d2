/*
** Assertions. MPL_ASSERT guards what would corrupt shared memory if it were false and is cheap: it
** stays in release builds. A failing one ends the process
** with abort(): to the other processes that is a death like any other, and they recover from it.
*/
#ifndef MPL_BASE_CHECK_H
#define MPL_BASE_CHECK_H

/* Prints the place and aborts. */
_Noreturn void mpl_check_failed(const char *what, const char *file, int line);

#define MPL_ASSERT(cond) \
  ((__builtin_expect(!!(cond), 1)) ? (void)0 : mpl_check_failed(#cond, __FILE__, __LINE__))

#endif
