/*
** fork() of the program: stands in front of the C library's for everything that the program loads,
** so that a fork by luaposix or another C module goes through mpl's fork procedure (proc/fork.c).
*/
#include <sys/types.h>

#include "proc/fork.h"

pid_t fork(void);

pid_t fork(void) {
  return mpl_fork_raw();
}
