/*
** What the headers check.h, fault.h and point.h need at run time.
*/
#include "base/check.h"
#include "base/fault.h"
#include "base/point.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void mpl_check_failed(const char *what, const char *file, int line) {
  fprintf(stderr, "mpl: assertion failed: %s (%s:%d, pid %d)\n", what, file, line, (int)getpid());
  abort();
}

#if defined(MPL_TEST)

bool (*mpl_fault)(void);

/* Per thread, so that a test which uses threads in place of processes arms only one of them. */
static _Thread_local unsigned long armed, passed;

void mpl_point_arm(unsigned long n) {
  armed = n;
  passed = 0;
}

void mpl_point_pass(void) {
  if (++passed == armed) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
}

#endif
