/*
** Deadlocks below Lua: the record of a wait, cycles, the sleep of all, deaths; and what a thousand
** idle sleepers cost. That correct programs are left in peace is mostly the specs' business.
*/
#include <sys/mman.h>
#include <time.h>

#include "shm/deadlock.h"
#include "world.h"

static uint64_t queue_id, event_id;
static struct mpl_lock *lock[3];
static struct mpl_event *event;
static struct mpl_queue *queue;

/* Memory outside the arena, for the processes of a case. */
static struct {
  mpl_a64 ready, found, passed;
} *shared;

static void make(void) {
  world_make();
  uint64_t id;
  for (int i = 0; i < 3; i++) {
    char label[MPL_OBJECT_LABEL];
    CHECK(mpl_lock_new(&id) == MPL_OK);
    snprintf(label, sizeof label, "'lock %d'", i);
    mpl_object_set_label(id, label);
    lock[i] = world_lock(id);
  }
  CHECK(mpl_event_new(&event_id) == MPL_OK && mpl_queue_new(0, &queue_id) == MPL_OK);
  mpl_object_set_label(event_id, "'event'");
  mpl_object_set_label(queue_id, "'queue'");
  event = world_event(event_id);
  queue = world_queue(queue_id);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
}

static void until(mpl_a64 *word, uint64_t n) {
  int64_t end = world_deadline();
  while (mpl_load64_acq(word) < n) {
    CHECK(mpl_os_now() < end);
    sched_yield();
  }
}

/* What the process of this identity is said to wait for. */
static const char *waits(uint64_t ident) {
  static char text[256];
  struct mpl_slot *slot = mpl_slot_find(ident);
  CHECK(slot != NULL);
  CHECK(mpl_deadlock_describe(slot, text, sizeof text) == (int)strlen(text));
  return text;
}

static void until_waits(uint64_t ident, const char *text) {
  int64_t end = world_deadline();
  while (strcmp(waits(ident), text) != 0) {
    CHECK(mpl_os_now() < end);
    sched_yield();
  }
}

/* The whole report of the caller's MPL_DEADLOCK. */
static const char *report(bool all_asleep) {
  bool all;
  const char *text = mpl_deadlock_report(&all);
  CHECK(all == all_asleep);
  return text;
}

/*
** The record
*/

static void wait_for_all_kinds(void *arg) {
  (void)arg;
  CHECK(world_await(event, world_deadline()) == MPL_OK);
  CHECK(world_get_number(queue) == 1);
  CHECK(world_acquire(lock[0], world_deadline()) == MPL_OK);
  uint64_t parent = mpl_load64_rlx(&mpl_self->parent);
  CHECK(mpl_child_join_stranger(parent, mpl_os_now() + MPL_NS_PER_S / 5) == MPL_TIMEOUT);
  mpl_add64_ar(&shared->ready, 1);
  until(&shared->passed, 1);
}

static void record(void) {
  make();
  mpl_slot_set_name(mpl_self, "parent");
  CHECK(*waits(mpl_slot_ident(mpl_self)) == '\0');
  CHECK(world_acquire(lock[0], 0) == MPL_OK);
  struct mpl_child *child = world_start(wait_for_all_kinds, NULL);
  until_waits(child->ident, "waits for Event 'event'");
  mpl_event_set(event);
  until_waits(child->ident, "waits for an item of Queue 'queue'");
  CHECK(world_put_number(queue, 1) == MPL_OK);
  until_waits(child->ident, "waits for Lock 'lock 0'");
  CHECK(mpl_lock_release(lock[0]) == MPL_OK);
  until_waits(child->ident, "waits for the end of parent");
  until(&shared->ready, 1);
  CHECK(*waits(child->ident) == '\0');
  mpl_add64_ar(&shared->passed, 1);
  uint64_t ident = child->ident;
  CHECK(world_join(child) == 0);
  CHECK(mpl_slot_find(ident) == NULL);
}

/* A text for each wait, never half of one and half of another. */
static void wait_to_and_fro(void *arg) {
  (void)arg;
  static struct world_batch got;
  while (mpl_load64_acq(&shared->passed) == 0) {
    CHECK(world_await(event, mpl_os_now() + 200000) == MPL_TIMEOUT);
    CHECK(world_get(queue, 1, &got, mpl_os_now() + 200000) == MPL_TIMEOUT);
  }
}

static void record_that_changes(void) {
  make();
  struct mpl_child *child = world_start(wait_to_and_fro, NULL);
  unsigned seen[3] = {0};
  int64_t end = mpl_os_now() + MPL_NS_PER_S;
  while (mpl_os_now() < end) {
    const char *text = waits(child->ident);
    int i = *text == '\0' ? 0 : strcmp(text, "waits for Event 'event'") == 0 ? 1 : 2;
    CHECK(i < 2 || strcmp(text, "waits for an item of Queue 'queue'") == 0);
    seen[i]++;
  }
  CHECK(seen[1] > 0 && seen[2] > 0);
  mpl_add64_ar(&shared->passed, 1);
  CHECK(world_join(child) == 0);
}

/*
** Cycles
*/

#define CROSSINGS 8

/* Member i of n: takes its lock, and once all have wants the next one's. */
static void cross(void *arg) {
  int n = ((int *)arg)[0], i = ((int *)arg)[1];
  CHECK(world_acquire(lock[i], 0) == MPL_OK);
  mpl_add64_ar(&shared->ready, 1);
  until(&shared->ready, (uint64_t)n);
  enum mpl_status s = world_acquire(lock[(i + 1) % n], MPL_NEVER);
  CHECK(s == MPL_OK || s == MPL_DEADLOCK);
  mpl_add64_ar(s == MPL_OK ? &shared->passed : &shared->found, 1);
  if (s == MPL_OK) CHECK(mpl_lock_release(lock[(i + 1) % n]) == MPL_OK);
  if (s == MPL_DEADLOCK) {
    CHECK(strstr(report(false), "took Lock 'lock 0', and waits for Lock 'lock 1'") != NULL);
    CHECK(*waits(mpl_slot_ident(mpl_self)) == '\0');
  }
  CHECK(mpl_lock_release(lock[i]) == MPL_OK);
}

static void cycles_of(int n) {
  make();
  for (int round = 1; round <= CROSSINGS; round++) {
    struct mpl_child *child[3];
    mpl_store64_rel(&shared->ready, 0);
    for (int i = 0; i < n; i++) child[i] = world_start(cross, (int[]){n, i});
    for (int i = 0; i < n; i++) CHECK(world_join(child[i]) == 0);
    CHECK(mpl_load64_acq(&shared->found) == (uint64_t)round);
    CHECK(mpl_load64_acq(&shared->passed) == (uint64_t)(round * (n - 1)));
  }
  WORLD_WHOLE();
}

static void cycles_of_two(void) {
  cycles_of(2);
}

static void cycles_of_three(void) {
  cycles_of(3);
}

static void hold_until_told(void *arg) {
  (void)arg;
  CHECK(world_acquire(lock[1], 0) == MPL_OK);
  mpl_add64_ar(&shared->ready, 1);
  enum mpl_status s = world_acquire(lock[0], MPL_NEVER);
  mpl_add64_ar(&shared->found, s == MPL_DEADLOCK);
  CHECK(mpl_lock_release(lock[1]) == MPL_OK);
}

/* A member of a cycle that is stopped is one all the same. */
static void stopped(void) {
  make();
  CHECK(world_acquire(lock[0], 0) == MPL_OK);
  struct mpl_child *child = world_start(hold_until_told, NULL);
  until(&shared->ready, 1);
  until_waits(child->ident, "waits for Lock 'lock 0'");
  CHECK(kill(child->pid, SIGSTOP) == 0);
  CHECK(world_acquire(lock[1], MPL_NEVER) == MPL_DEADLOCK);
  CHECK(kill(child->pid, SIGCONT) == 0);
  CHECK(mpl_lock_release(lock[0]) == MPL_OK);
  CHECK(world_join(child) == 0 && mpl_load64_acq(&shared->found) == 0);
}

static void release_it(void *arg) {
  (void)arg;
  CHECK(mpl_lock_release(lock[0]) == MPL_OK);
}

/* A lock that others released is in no cycle. A release that fails leaves it as it was. */
static void handed_over(void) {
  make();
  CHECK(mpl_lock_release(lock[0]) == MPL_MISUSE);
  CHECK(mpl_load32_rlx(&lock[0]->handed_over) == 0);
  CHECK(world_acquire(lock[0], 0) == MPL_OK && world_acquire(lock[0], MPL_NEVER) == MPL_DEADLOCK);
  CHECK(strstr(report(false), "the caller holds what it waits for") != NULL);
  CHECK(world_join(world_start(release_it, NULL)) == 0);
  CHECK(mpl_load32_rlx(&lock[0]->handed_over) == 1);
  CHECK(world_acquire(lock[0], 0) == MPL_OK && world_acquire(lock[0], MPL_NEVER) == MPL_DEADLOCK);
  CHECK(strstr(report(true), "all processes are asleep") != NULL); /* none is left to release it */
}

/*
** Deaths
*/

static void put_and_die(void *arg) {
  unsigned long point = *(unsigned long *)arg;
  mpl_point_arm(point);
  CHECK(world_put_number(queue, 7) == MPL_OK);
  mpl_point_arm(0);
  mpl_add64_ar(&shared->passed, 1);
}

static void get_one(void *arg) {
  (void)arg;
  static struct world_batch got;
  enum mpl_status s = world_get(queue, 1, &got, MPL_NEVER);
  CHECK(s == MPL_OK);
  mpl_add64_ar(&shared->found, 1);
}

/* The process of a trial; its exit status is 2 if the putter did not come to that point. */
static void dead_putter(unsigned long point) {
  make();
  struct mpl_child *taker = world_start(get_one, NULL);
  until_waits(taker->ident, "waits for an item of Queue 'queue'");
  struct mpl_child *putter = world_start(put_and_die, &point);
  int status;
  while (waitpid(putter->pid, &status, 0) < 0) CHECK(errno == EINTR);
  enum mpl_status s = mpl_child_join(taker, MPL_NEVER, 0);
  CHECK(s == MPL_OK || s == MPL_DEADLOCK);
  CHECK(mpl_load64_acq(&queue->put) == (s == MPL_OK));
  CHECK(mpl_load64_acq(&shared->found) == (s == MPL_OK));
  kill(taker->pid, SIGKILL);
  _exit(mpl_load64_acq(&shared->passed) != 0 ? 2 : 0);
}

#define AT_ONCE 16

/* A putter dies at each of its crash points, with a taker asleep and the caller waiting for that
   one: where the item is in the queue that is no deadlock; where it is not the caller is told. */
static void item_of_the_dead(void) {
  bool through = false;
  for (unsigned long point = 1; !through; point += AT_ONCE) {
    pid_t trial[AT_ONCE];
    for (unsigned long i = 0; i < AT_ONCE; i++) {
      trial[i] = fork();
      CHECK(trial[i] >= 0);
      if (trial[i] == 0) dead_putter(point + i);
    }
    for (int i = 0; i < AT_ONCE; i++) {
      int status;
      while (waitpid(trial[i], &status, 0) < 0) CHECK(errno == EINTR);
      CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2));
      through = through || WEXITSTATUS(status) == 2;
    }
  }
}

static void fall_asleep(void *arg) {
  (void)arg;
  enum mpl_status s = world_await(event, MPL_NEVER);
  CHECK(s == MPL_DEADLOCK && strstr(report(true), "waits for Event 'event'") != NULL);
  mpl_add64_ar(&shared->found, 1);
}

/* Those that the main program leaves behind are told, one after the other. */
static void main_is_gone(void) {
  mpl_a64 *found = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(found != MAP_FAILED);
  world_adopt();
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    make();
    shared = (void *)found;
    for (int i = 0; i < 3; i++)
      until_waits(world_start(fall_asleep, NULL)->ident, "waits for Event 'event'");
    raise(SIGKILL);
  }
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
  }
  CHECK(mpl_load64_acq(&found[1]) == 3);
}

/*
** Idle sleepers
*/

#define SLEEPERS 1000
#define SETTLE_S 4 /* at first each looks for a deadlock every quarter of a second */
#define MEASURE_S 4

static void sleep_on(void *arg) {
  (void)arg;
  CHECK(world_await(event, MPL_NEVER) == MPL_OK);
}

static int64_t cpu_of(struct mpl_child *const *children, int n) {
  int64_t sum = 0;
  for (int i = 0; i < n; i++) {
    clockid_t clock;
    struct timespec t;
    CHECK(clock_getcpuclockid(children[i]->pid, &clock) == 0 && clock_gettime(clock, &t) == 0);
    sum += (int64_t)t.tv_sec * MPL_NS_PER_S + t.tv_nsec;
  }
  return sum;
}

/* Under 0.1 % of a CPU, all together. A busy machine gets more than one chance. */
static void idle_sleepers(void) {
  static struct mpl_child *child[SLEEPERS];
  double share = 1;
  make();
  for (int i = 0; i < SLEEPERS; i++) child[i] = world_start(sleep_on, NULL);
  sleep(SETTLE_S);
  for (int i = 0; i < 3 && share >= 0.001; i++) {
    int64_t before = cpu_of(child, SLEEPERS), began = mpl_os_now();
    sleep(MEASURE_S);
    share = (double)(cpu_of(child, SLEEPERS) - before) / (double)(mpl_os_now() - began);
    printf("%d idle sleepers: %.3f %% of a CPU\n", SLEEPERS, 100 * share);
    fflush(stdout);
  }
#if !defined(__SANITIZE_ADDRESS__)
  CHECK(share < 0.001);
#endif
  mpl_event_set(event);
  for (int i = 0; i < SLEEPERS; i++) CHECK(world_join(child[i]) == 0);
}

int main(void) {
  unit_run("the record of a wait", record);
  unit_run("a record that changes", record_that_changes);
  unit_run("cycles of two", cycles_of_two);
  unit_run("cycles of three", cycles_of_three);
  unit_run("a stopped member", stopped);
  unit_run("a lock that others released", handed_over);
  unit_run("an item of the dead", item_of_the_dead);
  unit_run("the main program is gone", main_is_gone);
  unit_run("idle sleepers", idle_sleepers);
  return unit_end("deadlock_test");
}
