/*
** A unit test in C: checks that say where they failed, processes, and a summary. Each test is a
** program that ends with a line of the numbers of cases passed and failed, and exits 0 if every
** check held.
*/
#ifndef MPL_TEST_UNIT_H
#define MPL_TEST_UNIT_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A case that takes longer hangs, however busy the machine is, and is ended by SIGALRM. */
#ifndef UNIT_SECONDS
#define UNIT_SECONDS 1000
#endif

/* How the process of a check that failed ends. A test whose processes are waited for by others than
   the case itself says it otherwise. */
#ifndef UNIT_FAIL
#define UNIT_FAIL() _exit(1)
#endif

static int unit_passed, unit_failed;

#define CHECK(cond) \
  do { \
    if (!(cond)) { \
      fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #cond); \
      UNIT_FAIL(); \
    } \
  } while (0)

#define FAIL(text) \
  do { \
    fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, text); \
    UNIT_FAIL(); \
  } while (0)

/* For a case of many steps: from now it has UNIT_SECONDS again. */
static inline void unit_goes_on(void) {
  alarm(UNIT_SECONDS);
}

/* Ends a case and the processes that it has started. */
static inline void unit_kill_group(int sig) {
  (void)sig;
  kill(0, SIGKILL);
}

/* The case, a group of processes of its own, ends with the program that runs it. */
static inline void unit_end_with(pid_t program) {
  setpgid(0, 0);
  signal(SIGHUP, unit_kill_group);
  CHECK(prctl(PR_SET_PDEATHSIG, SIGHUP) == 0);
  if (getppid() != program) unit_kill_group(SIGHUP);
}

/* Runs a case in a process of its own, so that one which fails or dies does not end the others; the
   processes that it started and left behind are ended with it. */
static inline void unit_run(const char *name, void (*test)(void)) {
  fflush(NULL);
  pid_t program = getpid(), pid = fork();
  if (pid == 0) {
    unit_end_with(program);
    alarm(UNIT_SECONDS);
    test();
    fflush(NULL);
    _exit(0);
  }
  int status = -1;
  while (waitpid(pid, &status, 0) < 0) {}
  kill(-pid, SIGKILL);
  if (status == 0) {
    unit_passed++;
  } else {
    unit_failed++;
    fprintf(stderr, "FAILED: %s (status %#x)\n", name, (unsigned)status);
  }
}

static inline int unit_end(const char *program) {
  printf("%s: %d passed, %d failed\n", program, unit_passed, unit_failed);
  return unit_failed == 0 ? 0 : 1;
}

#endif
