/*
** Two processes that die at once: one is stopped at a random point of its operation, the other dies
** at one of another operation meanwhile, or waits for the first; then the first is killed.
*/
#ifndef MPL_TEST_CRASH_PAIR_H
#define MPL_TEST_CRASH_PAIR_H

#include "crash_stage.h"

/* Waits a moment for a process to end or to stop; the one that waits for another which is stopped
   does neither. */
static inline bool crash_wait_briefly(pid_t pid, int *status) {
  for (int i = 0; i < 50; i++) {
    pid_t r = waitpid(pid, status, WNOHANG | WUNTRACED);
    CHECK(r >= 0);
    if (r == pid) return !WIFSTOPPED(*status);
    usleep(100);
  }
  return false;
}

/* Kills a process that has not ended, and the children that it has. */
static inline enum crash_end crash_kill(pid_t pid, bool ended, int status) {
  kill(-pid, SIGKILL);
  while (!ended && waitpid(pid, &status, 0) < 0) CHECK(errno == EINTR);
  return crash_end_of(status);
}

static inline unsigned long crash_some_point(const struct crash_op *op, uint64_t i) {
  uint64_t points = mpl_load64_rlx(&crash_tallies[op - crash_ops].points);
  return 1 + crash_random(i) % (points + 1);
}

/* Starts a part and waits until it is prepared, which nobody disturbs. */
static inline pid_t crash_prepare(const struct crash_part *part, const void *scene) {
  int status;
  memcpy(crash_scene, scene, crash_scene_size);
  pid_t pid = crash_start(part);
  while (waitpid(pid, &status, WUNTRACED) < 0) CHECK(errno == EINTR);
  CHECK(WIFSTOPPED(status));
  return pid;
}

/* Runs both parts: the first is stopped at its point while the second runs. */
static inline void crash_both(const struct crash_part part[2], void *scene[2], bool finished[2]) {
  pid_t pid[2];
  int status[2];
  bool ended[2];
  for (int i = 0; i < 2; i++) pid[i] = crash_prepare(&part[i], scene[i]);
  for (int i = 0; i < 2; i++) {
    kill(pid[i], SIGCONT);
    ended[i] = crash_wait_briefly(pid[i], &status[i]);
  }
  for (int i = 2; i-- > 0;) {
    enum crash_end end = crash_kill(pid[i], ended[i], status[i]);
    CHECK(end != CRASH_BROKEN);
    finished[i] = end == CRASH_FINISHED;
  }
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
}

/* A trial of two operations, each on a scene of its own; or of one that has a second part. */
static inline void crash_pair(const struct crash_op *op[2], uint64_t i) {
  struct crash_stage stage = {.op = op[0]};
  struct crash_part part[2];
  void *scene[2];
  bool finished[2], same = op[0] == op[1];
  alarm(CRASH_SECONDS);
  crash_world(&stage, false);
  for (int k = 0; k < 2; k++) {
    if (op[k]->setup != NULL && !(same && k == 1)) op[k]->setup();
    scene[k] = malloc(crash_scene_size);
    CHECK(scene[k] != NULL);
    memcpy(scene[k], crash_scene, crash_scene_size);
  }
  crash_reserve(&stage.victim);
  crash_reserve(&stage.helper);
  for (int k = 0; k < 2; k++)
    part[k] = (struct crash_part){.member = k == 0 ? &stage.victim : &stage.helper,
                                  .prepare = op[k]->prepare,
                                  .operate = same && k == 1 ? op[k]->also : op[k]->operate,
                                  .point = crash_some_point(op[k], 4 * i + 2 + (uint64_t)k),
                                  .stop = k == 0,
                                  .paired = true};
  crash_both(part, scene, finished);
  if (i % 2 == 0) crash_touch();
  crash_clean(i % 4 < 2 ? &stage.helper : &stage.victim, i % 4 < 2 ? &stage.victim : &stage.helper);
  for (int k = 0; k < (same ? 1 : 2); k++) {
    memcpy(crash_scene, scene[k], crash_scene_size);
    if (op[k]->verify != NULL) op[k]->verify(same ? finished[0] && finished[1] : finished[k]);
  }
  crash_balance(&stage, op[0]->grows || op[1]->grows);
  _exit(0);
}

static inline void crash_try_pair(uint64_t i) {
  const struct crash_op *op[2];
  do {
    op[0] = &crash_ops[crash_random(4 * i) % crash_nops];
    op[1] = op[0]->also != NULL ? op[0] : &crash_ops[crash_random(4 * i + 1) % crash_nops];
    i += UINT32_MAX;
  } while (op[0]->alone || op[1]->alone || (op[0] != op[1] && op[1]->also != NULL) ||
           (op[0] == op[1] && op[0]->also == NULL));
  fflush(NULL);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) crash_pair(op, i);
  if (crash_wait(pid) == CRASH_FINISHED) return;
  fprintf(stderr, "%s beside %s: trial %llu\n", op[0]->name, op[1]->name, (unsigned long long)i);
  FAIL("two deaths at once");
}

static inline void crash_pairs(void) {
  world_adopt();
  for (uint64_t i = 0; i < CRASH_PAIRS; i++) crash_try_pair(i);
}

#endif
