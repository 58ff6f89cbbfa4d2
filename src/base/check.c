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
static _Thread_local int at_point; /* the signal that the process gets there */
static _Thread_local void (*watcher)(unsigned long n);

static void arm(unsigned long n, int sig) {
  armed = n;
  passed = 0;
  watcher = NULL;
  at_point = sig;
}

void mpl_point_arm(unsigned long n) {
  arm(n, SIGKILL);
}

void mpl_point_arm_stop(unsigned long n) {
  arm(n, SIGSTOP);
}

void mpl_point_watch(void (*f)(unsigned long n)) {
  arm(0, 0);
  watcher = f;
}

void mpl_point_pass(void) {
  if (++passed == armed) kill(getpid(), at_point);
  if (watcher != NULL) watcher(passed);
}

static _Thread_local enum mpl_mutant mutant;
static _Thread_local unsigned long entries_left;
static _Thread_local struct mpl_mutant_place *entry_place;

void mpl_mutant_arm(enum mpl_mutant kind, unsigned long k, struct mpl_mutant_place *place) {
  mutant = kind;
  entries_left = k;
  entry_place = place;
}

bool mpl_mutant_pass(enum mpl_mutant kind, const void *word) {
  if (kind != mutant || --entries_left != 0) return false;
  mutant = MPL_MUTANT_NONE;
  *entry_place = (struct mpl_mutant_place){.point = passed, .word = word};
  return true;
}

#endif
