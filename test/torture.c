/*
** Torture: a dozen processes do random operations on random objects (torture_ops.h): make them,
** send them to each other through queues, use, keep and drop them, start processes of their own.
** Every few milliseconds one is killed by SIGKILL and replaced by a new one, or stopped for a
** while; others die by themselves at a crash point. Now and then all of them rest, and everything
** is looked at (torture_quiet.h); or all end, and the arena's use must be what it was at the start.
**
**   torture [SECONDS [SEED]]          10 seconds (5 under AddressSanitizer), a seed of its own
**
** The seed is printed first, and determines what each process does and when which one is killed:
** the n-th process of the m-th place does the same operations with the same sizes and deadlines in
** every run with the seed, and the k-th step of the plan kills in the same place after the same
** time. What does not come again is how the processes' steps fall between one another, and so what
** comes of each operation.
**
** How a structure joins is told in torture_ops.h. A run whose kills never hit a section fails: it
** has tested nothing.
*/
#include "torture_quiet.h"

#define PLACES 12
#define SLEEP_US 4000      /* between two steps of the plan, at most */
#define STOP_US 20000      /* how long a process is stopped, at most */
#define POINTS_PER_LIFE 4  /* each so many quiescent points all end */
#define DRAIN 20           /* per cent of the queues are emptied at a quiescent point */
#define HANGS_AFTER 100    /* s */

#if defined(__SANITIZE_ADDRESS__)
#define SECONDS 5
#else
#define SECONDS 10
#endif

static uint64_t seed, seconds = SECONDS;
static struct mpl_child *place[PLACES];
static uint64_t incarnation[PLACES];
static bool may_start;
static uint64_t deaths, ends, stops, points, lives;

/* Streams of random numbers, besides those of the processes in the places. */
enum { PLAN, ROOTS, QUIET, FIRST_PLACE };

/*
** Processes
*/

static void start(int i) {
  uint64_t own = ledger_mix(ledger_mix(seed, FIRST_PLACE + (uint64_t)i), ++incarnation[i]);
  CHECK(mpl_fork("worker", MPL_FORK_CHILD, &place[i]) == MPL_OK);
  if (place[i] == NULL) ops_live(own, 0, false);
}

static void count_end(int code) {
  if (ledger_look(&ledger->failed) != 0) FAIL("a process has failed");
  if (code == -SIGKILL) {
    deaths++;
  } else if (code == 1) {
    /* It came too late: its parent was killed in the fork, which then counts as one that did not
       happen. A worker that fails has said so in the ledger. */
  } else {
    ends++;
    CHECK(code == 0 || code == -SIGTERM);
  }
}

static void reap_workers(void) {
  for (int i = 0; i < PLACES; i++) {
    if (place[i] == NULL || !mpl_child_ended(place[i])) continue;
    count_end(place[i]->exit_code);
    mpl_child_unwanted(place[i]);
    place[i] = NULL;
  }
}

static bool is_worker(pid_t pid) {
  for (int i = 0; i < PLACES; i++)
    if (place[i] != NULL && place[i]->pid == pid) return true;
  return false;
}

/* Reaps who has ended: workers, and processes whose parents have. False if there is none. */
static bool reap_some(void) {
  siginfo_t info = {0};
  int status, r;
  reap_workers(); /* also those whom mpl has reaped while the caller waited for something else */
  while ((r = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT)) == 0 && info.si_pid != 0) {
    if (is_worker(info.si_pid)) {
      reap_workers();
    } else {
      CHECK(waitpid(info.si_pid, &status, 0) == info.si_pid);
      count_end(WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    }
    info.si_pid = 0;
  }
  mpl_signal_take(MPL_SIGNAL_CHILD);
  return r == 0 || errno != ECHILD;
}

static void reap(void) {
  reap_some();
  for (int i = 0; i < PLACES; i++)
    if (place[i] == NULL && may_start) start(i);
}

/*
** The plan
*/

static void kill_one(uint64_t i) {
  if (place[i] != NULL) CHECK(kill(place[i]->pid, SIGKILL) == 0);
}

/* Until it goes on, the caller takes no lock of the arena: the one who is stopped may hold it. */
static void stop_one(uint64_t i) {
  uint64_t other = draw(PLACES);
  int64_t time = (int64_t)draw(STOP_US * 1000);
  stops++;
  CHECK(kill(place[i]->pid, SIGSTOP) == 0);
  ledger_sleep(time / 2);
  if (other != i) kill_one(other);
  ledger_sleep(time / 2);
  CHECK(kill(place[i]->pid, draw(4) == 0 ? SIGKILL : SIGCONT) == 0);
}

static void step(uint64_t number) {
  ledger_rng = ledger_mix(ledger_mix(seed, PLAN), number);
  ledger_sleep((int64_t)draw(SLEEP_US * 1000));
  reap();
  uint64_t what = draw(20), i = draw(PLACES);
  if (what == 0) stop_one(i);
  else kill_one(i);
  if (what == 1) kill_one(draw(PLACES));
}

/*
** Lives of the program: from the making of the roots to the end of all processes
*/

static void begin_life(void) {
  ledger_rng = ledger_mix(ledger_mix(seed, ROOTS), lives);
  for (uint64_t i = 0; i < LEDGER_ROOTS; i++) {
    CHECK(ops_kinds[i % OPS_KINDS].make(&cells[i]) == MPL_OK);
    mpl_store64_rel(&ledger->root[i], cells[i]);
  }
  mpl_store64_rel(&ledger->stop, 0);
  may_start = true;
  reap();
}

/* All processes end, and are cleaned up after. */
static void end_all(void) {
  int64_t end = world_deadline();
  may_start = false;
  mpl_store64_rel(&ledger->stop, 1);
  mpl_store64_rel(&ledger->pause, 0);
  while (reap_some()) {
    if (mpl_os_now() > end) {
      quiet_report();
      FAIL("not all processes end");
    }
    ledger_sleep(WORLD_MS / 5);
  }
  world_sweep();
}

/* Whatever objects refer to each other in a circle go, too, and the arena is as it was. */
static void end_life(struct world_sum before) {
  end_all();
  for (int i = 0; i < LEDGER_ROOTS; i++) mpl_store64_rel(&ledger->root[i], 0);
  quiet_look_around(100);
  for (int i = 0; i < LEDGER_ROOTS; i++) cells_empty((uint64_t)i);
  quiet_look_around(100);
  mpl_reflist_sweep();
  WORLD_WHOLE();
  /* One block is another than at the start, the list for the caller's references, and a block may
     have a grain more than was asked for. */
  uint64_t used = world_sum().used;
  if (used - before.used + MPL_HEAP_ALIGN <= 2 * MPL_HEAP_ALIGN) before.used = used;
  WORLD_SAME(before);
  lives++;
}

/* Tables grow now, to what they need at most: a life must leave the arena as it was. */
static struct world_sum warm_up(void) {
  static struct mpl_slot *slot[LEDGER_SLOTS / 2];
  static uint64_t id[900];
  for (size_t i = 0; i < sizeof slot / sizeof *slot; i++)
    CHECK(mpl_slot_reserve("test", &slot[i]) == MPL_OK);
  for (size_t i = 0; i < sizeof slot / sizeof *slot; i++)
    mpl_recover_unclaimed(slot[i], mpl_slot_ident(slot[i]));
  for (size_t i = 0; i < sizeof id / sizeof *id; i++) CHECK(mpl_event_new(&id[i]) == MPL_OK);
  for (size_t i = 0; i < sizeof id / sizeof *id; i++) mpl_reflist_release(id[i]);
  mpl_reflist_sweep();
  WORLD_WHOLE();
  return world_sum();
}

static void report(double took) {
  struct mpl_super *super = mpl_super();
  uint64_t operations = ledger_look(&ledger->operations);
  unsigned long taken_over = (unsigned long)mpl_load64_rlx(&super->taken_over);
  unsigned long rolled_back = (unsigned long)mpl_load64_rlx(&super->rolled_back);
  printf("  %.1f s, %lu operations, %.0f a second; %lu items put, %lu got; %lu locks abandoned\n",
         took, (unsigned long)operations, (double)operations / took,
         (unsigned long)ledger_look(&ledger->accepted), (unsigned long)ledger_look(&ledger->got),
         (unsigned long)ledger_look(&ledger->abandoned));
  printf("  %lu deaths, %lu locks of the arena taken over, %lu sections rolled back; %lu stops\n",
         (unsigned long)deaths, taken_over, rolled_back, (unsigned long)stops);
  printf("  %lu ends, %lu forks of workers; %lu quiescent points, %lu times all ended\n",
         (unsigned long)ends, (unsigned long)ledger_look(&ledger->forks), (unsigned long)points,
         (unsigned long)lives);
  fflush(stdout);
  CHECK(taken_over > 0 && rolled_back > 0 && lives > 0);
}

static void hangs(int sig) {
  (void)sig;
  fprintf(stderr, "seed %llu: the run hangs\n", (unsigned long long)seed);
  quiet_report();
  _exit(1);
}

/* A quiescent point. All go on afterwards, or end, and others begin anew. */
static void rest(struct world_sum before) {
  static uint64_t point;
  alarm(HANGS_AFTER);
  may_start = false;
  point = quiet_reach(point, reap);
  ledger_rng = ledger_mix(ledger_mix(seed, QUIET), ++points);
  quiet_look_around(DRAIN);
  if (points % POINTS_PER_LIFE == 0) {
    end_life(before);
    begin_life();
  }
  mpl_store64_rel(&ledger->pause, 0);
  may_start = true;
}

static void torture(void) {
  signal(SIGALRM, hangs);
  alarm(HANGS_AFTER);
  ledger_make();
  mpl_list_register();
  mpl_keep_register();
  dicts_register();
  world_make();
  mpl_tasks_register();
  mpl_store64_rel(&ledger->director, mpl_slot_ident(mpl_self));
  world_adopt();
  struct world_sum before = warm_up();
  int64_t began = mpl_os_now(), end = began + (int64_t)seconds * MPL_NS_PER_S;
  begin_life();
  for (uint64_t i = 0, next = 100; mpl_os_now() < end; i++) {
    step(i);
    if (i != next) continue;
    rest(before);
    ledger_rng = ledger_mix(ledger_mix(seed, QUIET), i);
    next += 100 + draw(400);
  }
  rest(before);
  end_life(before);
  report((double)(mpl_os_now() - began) / 1e9);
}

int main(int argc, char **argv) {
  seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)mpl_os_now();
  if (argc > 1) seconds = strtoull(argv[1], NULL, 10);
  setenv("MPL_SHM_SIZE", "256M", 1);
  printf("torture %llu %llu\n", (unsigned long long)seconds, (unsigned long long)seed);
  unit_run("torture", torture);
  return unit_end(argv[0]);
}
