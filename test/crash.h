/*
** Sweeping the crash points of operations. A program of such sweeps is a table of operations and a
** main that calls crash_main; see the files sweep_*.c.
**
** A stage is a process with an arena in which the scene of an operation was set. The arena is put
** back to the scene before each trial, so that a trial costs a fork for each of those who take part
** in it:
**   - the victim does the operation and dies at its n-th crash point;
**   - the helper cleans up after the victim and dies at the m-th point of that;
**   - the survivor, a copy of the stage's process under the same identity, cleans up after both,
**     finds the arena whole, has the operation verify that it has happened wholly or not at all,
**     and finds that nothing has leaked.
**
** What is swept:
**   level 1   n = 1, 2, ... until the operation completes, all of it. The survivor comes twice:
**             once it recovers at once, once it first takes every lock from the dead.
**   level 2   after each n all m = 1, 2, ... until the recovery completes, once recovering at once
**             and once taking the locks first. A helper that does not die tells what each death
**             would leave (crash_state.h); those that would leave what another has left are not
**             tried again. Under AddressSanitizer, where a fork is dear, and in programs that say
**             CRASH_SAMPLED, only one in CRASH_FIRST of the n and one in CRASH_SECOND of the m.
**   two       random pairs of operations, of which one is stopped at a random point, the other dies
**             at one meanwhile, and then the first.
**   mutants   the operation with one entry of its journal left out (base/point.h), for each entry:
**             the sweep must fail.
**
** To add an operation: a line in a table, with what is needed of
**   setup     by the survivor, before all: what it makes is in the program's scene, one struct that
**             it shows to crash_main;
**   prepare   by the victim, before it is armed;
**   operate   by the victim, armed;
**   also      by a second process at the same time, on the same scene;
**   verify    by the survivor, who then releases all that setup made. It has all at its disposal
**             that CHECK can express: both outcomes, what depends on `finished` (the operation had
**             completed), and going on with the structure.
** To add a structure: its operations, and in crash_touch (crash_stage.h) the locks that it has.
*/
#ifndef MPL_TEST_CRASH_H
#define MPL_TEST_CRASH_H

#include "crash_mutant.h"
#include "crash_pair.h"
#include "crash_stage.h"

/*
** Levels 1 and 2
*/

/* The victim has died at point n: sweeps the recovery. A first helper notes what a death at each of
   its points would leave; the others die where that is new. */
static inline void crash_sweep_recovery(struct crash_stage *stage, unsigned long n, bool finished,
                                        bool touch, struct crash_tally *tally) {
  struct crash_part helper = {.member = &stage->helper, .recover = stage->victim.ident,
                              .touch = touch, .watched = &stage->states};
  crash_restore(&stage->after);
  crash_states_narrow(&stage->states);
  enum crash_end end = crash_do(&helper);
  CHECK(crash_states_cover(&stage->states));
  crash_expect(end == CRASH_FINISHED && crash_survive(stage, finished, false), stage->op,
               "recovery", n, 0);
  helper.watched = NULL;
  mpl_add64_ar(&tally->again, crash_trace[0]);
  for (unsigned long m = 1; m <= crash_trace[0]; m++) {
    if (!crash_is_new(crash_seen, 2 * crash_trace[m] + finished)) continue;
    if (crash_random(n << 20 | m) % CRASH_SECOND != 0) continue;
    helper.point = m;
    crash_restore(&stage->after);
    crash_expect(crash_do(&helper) == CRASH_DIED && crash_survive(stage, finished, false),
                 stage->op, "a death during recovery", n, m);
    mpl_add64_ar(&tally->states, 1);
  }
}

/* One worker's share of the points. */
static inline void crash_sweep_points(struct crash_stage *stage, unsigned long first,
                                      struct crash_tally *tally) {
  const uint64_t op = (uint64_t)(stage->op - crash_ops);
  bool finished = false;
  for (unsigned long n = first; !finished; n += CRASH_WORKERS) {
    struct crash_part victim = crash_victim(stage, n);
    crash_restore(&stage->scene);
    pid_t pid = crash_start(&victim);
    enum crash_end end = crash_wait(pid);
    stage->states.dead = (uint64_t)pid;
    finished = end == CRASH_FINISHED;
    crash_save(&stage->after);
    crash_expect(end != CRASH_BROKEN && crash_survive(stage, finished, false), stage->op,
                 "a death", n, 0);
    crash_restore(&stage->after);
    crash_expect(crash_survive(stage, finished, true), stage->op, "a lock of the dead", n, 0);
    mpl_add64_ar(&tally->points, !finished);
    if (crash_random(op << 20 | n) % CRASH_FIRST != 0) continue;
    crash_sweep_recovery(stage, n, finished, false, tally);
    crash_sweep_recovery(stage, n, finished, true, tally);
  }
}

/*
** The program
*/

static const struct crash_op *crash_op_now;

static inline void crash_worker(unsigned long first, struct crash_tally *tally) {
  struct crash_stage stage;
  crash_where = crash_shared(sizeof *crash_where);
  crash_trace = crash_shared(CRASH_TRACE * sizeof *crash_trace);
  crash_set(&stage, crash_op_now);
  crash_sweep_points(&stage, first, tally);
  if (CRASH_MUTANTS && !crash_op_now->sturdy) crash_sweep_mutants(&stage, first, tally);
  _exit(0);
}

/* All of one operation. */
static inline void crash_sweep(void) {
  struct crash_tally *tally = &crash_tallies[crash_op_now - crash_ops];
  pid_t pid[CRASH_WORKERS];
  crash_seen = crash_shared(STATE_SEEN * sizeof *crash_seen);
  for (int i = 0; i < CRASH_WORKERS; i++) {
    CHECK((pid[i] = fork()) >= 0);
    if (pid[i] == 0) crash_worker((unsigned long)i + 1, tally);
  }
  bool good = true;
  for (int i = 0; i < CRASH_WORKERS; i++) {
    int status;
    while (waitpid(pid[i], &status, 0) < 0) CHECK(errno == EINTR);
    good = good && status == 0;
  }
  if (!good) FAIL("the sweep found a fault");
  CHECK(mpl_load64_rlx(&tally->points) > 0);
  if (CRASH_MUTANTS && !crash_op_now->sturdy && mpl_load64_rlx(&tally->found) == 0)
    FAIL("the sweep finds no mutant");
}

static inline struct crash_tally crash_sum(void) {
  struct crash_tally sum = {0};
  for (size_t i = 0; i < crash_nops; i++) {
    sum.points += crash_tallies[i].points;
    sum.again += crash_tallies[i].again;
    sum.mutants += crash_tallies[i].mutants;
    sum.states += crash_tallies[i].states;
    sum.found += crash_tallies[i].found;
  }
  return sum;
}

/* The sweep finds nearly all mutants. */
static inline void crash_mutants_found(void) {
  struct crash_tally sum = crash_sum();
  CHECK(sum.mutants > 0 && sum.found * 100 >= sum.mutants * CRASH_SHARE);
}

static inline void crash_show(const char *name, const struct crash_tally *tally) {
  printf("%-32s %5llu points %7llu of recovery (%6llu states) %4llu of %4llu mutants\n", name,
         (unsigned long long)tally->points, (unsigned long long)tally->again,
         (unsigned long long)tally->states,
         (unsigned long long)tally->found, (unsigned long long)tally->mutants);
}

/* Sweeps the table, or the one operation of the name argv[1]. `scene` is what setup fills. */
static inline int crash_main(const struct crash_op *ops, size_t nops, void *scene, size_t size,
                             int argc, char **argv) {
  const char *seed = getenv("MPL_SEED");
  CHECK(mpl_os_random(&crash_seed, sizeof crash_seed) == 0);
  crash_seed = seed != NULL ? strtoull(seed, NULL, 10) : crash_seed % 1000000;
  crash_ops = ops;
  crash_nops = nops;
  crash_scene = scene;
  crash_scene_size = size;
  crash_tallies = crash_shared(nops * sizeof *crash_tallies);
  for (size_t i = 0; i < nops; i++) {
    crash_op_now = &ops[i];
    if (argc > 1 && strcmp(argv[1], ops[i].name) != 0) continue;
    unit_run(ops[i].name, crash_sweep);
    crash_show(ops[i].name, &crash_tallies[i]);
  }
  if (argc == 1) {
    unit_run("two deaths at once", crash_pairs);
    if (CRASH_MUTANTS) unit_run("mutants are found", crash_mutants_found);
  }
  struct crash_tally sum = crash_sum();
  crash_show("sum", &sum);
  printf("seed %llu (MPL_SEED=%llu does the same again)\n", (unsigned long long)crash_seed,
         (unsigned long long)crash_seed);
  return unit_end(argv[0]);
}

#endif
