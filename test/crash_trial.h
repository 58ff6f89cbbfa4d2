/*
** Sweeping the crash points of an operation.
**
** A trial is a fresh program: one process sets the scene, a second, the victim, does the operation
** and dies at its n-th crash point, a third may die at the m-th point of cleaning up after it. Then
** the first cleans up, finds the arena whole, lets the operation verify that it has happened wholly
** or not at all, and finds that nothing has leaked. Trials go on with n + 1 until the victim
** completes.
**
** To add an operation: write what is needed of setup, prepare, operate and verify, and a line in
** the table of journal_test.c.
*/
#ifndef MPL_TEST_CRASH_TRIAL_H
#define MPL_TEST_CRASH_TRIAL_H

#include "world.h"

struct crash_op {
  const char *name;
  void (*setup)(void);   /* by the survivor, before it forks the victim; may be NULL */
  void (*prepare)(void); /* by the victim, not yet armed; may be NULL */
  void (*operate)(void); /* by the victim, armed */
  void (*verify)(bool finished); /* by the survivor, who releases all it made; may be NULL */
  bool grows; /* leaves the tables larger: used bytes are not compared */
  bool cold;  /* the program has no object yet */
  bool twice; /* deaths during recovery are swept, too */
};

enum { CRASH_DIED, CRASH_FAILED, CRASH_FINISHED, CRASH_RECOVERED };

/* Waits for a process without recovering it: true if it ended by itself. */
static inline bool crash_wait(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0) CHECK(errno == EINTR);
  CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  return status == 0;
}

struct crash_arm {
  const struct crash_op *op;
  unsigned long point;
  uint64_t ident;
};

static inline void crash_operate(void *arg) {
  struct crash_arm *arm = arg;
  if (arm->op->prepare != NULL) arm->op->prepare();
  mpl_point_arm(arm->point);
  arm->op->operate();
  mpl_point_arm(0);
}

static inline void crash_recover(void *arg) {
  struct crash_arm *arm = arg;
  mpl_point_arm(arm->point);
  mpl_recover(arm->ident);
  mpl_point_arm(0);
}

/* The body of a trial; its process ends with one of the codes above. */
static inline void crash_trial(const struct crash_op *op, unsigned long n, unsigned long m) {
  uint64_t keeper;
  alarm(30);
  world_make();
  world_adopt();
  if (!op->cold) CHECK(mpl_lock_new(&keeper) == MPL_OK);
  struct world_sum before = world_sum();
  if (op->setup != NULL) op->setup();
  struct crash_arm arm = {.op = op, .point = n};
  struct mpl_child *victim = world_start(crash_operate, &arm);
  bool finished = crash_wait(victim->pid), recovered = true;
  if (m > 0) {
    struct crash_arm second = {.point = m, .ident = victim->ident};
    struct mpl_child *helper = world_start(crash_recover, &second);
    recovered = crash_wait(helper->pid);
    mpl_recover(helper->ident);
  }
  mpl_recover(victim->ident);
  mpl_child_reap();
  world_sweep();
  WORLD_WHOLE();
  if (op->verify != NULL) op->verify(finished);
  mpl_object_bury();
  WORLD_WHOLE();
  if (op->grows) before.used = world_sum().used;
  WORLD_SAME(before);
  _exit(m > 0 && recovered ? CRASH_RECOVERED : finished ? CRASH_FINISHED : CRASH_DIED);
}

static inline int crash_try(const struct crash_op *op, unsigned long n, unsigned long m) {
  fflush(NULL);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) crash_trial(op, n, m);
  int status;
  while (waitpid(pid, &status, 0) < 0) CHECK(errno == EINTR);
  if (!WIFEXITED(status) || WEXITSTATUS(status) == CRASH_FAILED) {
    fprintf(stderr, "%s: point %lu, recovery point %lu: status %#x\n", op->name, n, m,
            (unsigned)status);
    _exit(1);
  }
  return WEXITSTATUS(status);
}

/* Sweeps the operation and returns how many points it has. */
static inline unsigned long crash_sweep(const struct crash_op *op) {
  unsigned long n = 1;
  while (crash_try(op, n, 0) == CRASH_DIED) n++;
  return n - 1;
}

/* Sweeps the recovery from deaths at about `samples` of the operation's points. Returns how many
   points there were in sum. */
static inline unsigned long crash_sweep_recovery(const struct crash_op *op, unsigned long points,
                                                 unsigned long samples) {
  unsigned long sum = 0, step = points / samples + 1;
  for (unsigned long n = 1 + step / 2; n <= points; n += step) {
    unsigned long m = 1;
    while (crash_try(op, n, m) != CRASH_RECOVERED) m++;
    sum += m - 1;
  }
  return sum;
}

#endif
