/*
** The programs that a process has started are killed with all that they have started, and nobody
** else is. Each of them holds the writing end of a pipe, which has its end when all are dead.
*/
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "proc/descendants.h"
#include "world.h"

/* So many that the list of their pids is read in several parts. */
#define MANY 300
#define DEEP 100

static int all[2];   /* whoever is to die holds the writing end */
static int ready[2]; /* a byte from each that runs */

static void begin(void) {
  CHECK(pipe2(all, O_CLOEXEC) == 0 && pipe2(ready, O_CLOEXEC) == 0);
}

static void live(void) {
  CHECK(write(ready[1], "", 1) == 1);
  for (;;) pause();
}

static void until_ready(int n) {
  char byte;
  while (n-- > 0) CHECK(read(ready[0], &byte, 1) == 1);
}

/* Starts a program: a process that is no member. */
static pid_t start(void (*f)(void)) {
  pid_t pid = mpl_os_fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    f();
    _exit(0);
  }
  return pid;
}

static void expect_all_dead(void) {
  struct pollfd end = {.fd = all[0], .events = POLLIN};
  close(all[1]);
  int n;
  do n = poll(&end, 1, (int)(WORLD_PATIENCE / WORLD_MS)); /* SIGCHLD interrupts it */
  while (n < 0 && errno == EINTR);
  CHECK(n == 1 && end.revents == POLLHUP);
}

static void many(void) {
  begin();
  for (int i = 0; i < MANY; i++) start(live);
  until_ready(MANY);
  mpl_descendants_kill_all();
  expect_all_dead();
}

static int depth;

static void go_deeper(void) {
  if (++depth < DEEP) start(go_deeper);
  live();
}

static void deep(void) {
  begin();
  start(go_deeper);
  until_ready(DEEP);
  mpl_descendants_kill_all();
  expect_all_dead();
}

static pid_t first;

/* Gives who was killed the time to end. */
static void expect_first_alive(unsigned long n) {
  const struct timespec some_time = {.tv_nsec = WORLD_MS};
  siginfo_t info = {0};
  (void)n;
  nanosleep(&some_time, NULL);
  CHECK(waitid(P_PID, (id_t)first, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0);
}

/* An orphan could be reaped by somebody, and its pid be another's, before it is killed. */
static void parents_last(void) {
  begin();
  first = start(go_deeper);
  until_ready(DEEP);
  mpl_point_watch(expect_first_alive);
  mpl_descendants_kill_all();
  mpl_point_arm(0);
  expect_all_dead();
}

static void *start_in_thread(void *arg) {
  start(live);
  for (;;) pause();
  return arg;
}

static void have_threads(void) {
  pthread_t thread;
  for (int i = 0; i < 3; i++) CHECK(pthread_create(&thread, NULL, start_in_thread, NULL) == 0);
  live();
}

/* Each thread has children of its own. */
static void threads(void) {
  begin();
  start(have_threads);
  until_ready(4);
  mpl_descendants_kill_all();
  expect_all_dead();
}

/* Starts one after the other, as long as there are fewer than so many. */
static void start_for_ever(void) {
  for (int i = 0; i < MANY; i++) start(live);
  live();
}

/* They are in the middle of starting others. */
static void busy(void) {
  for (int i = 0; i < 20; i++) {
    begin();
    for (int k = 0; k < 3; k++) start(start_for_ever);
    until_ready(1 + i * 10);
    mpl_descendants_kill_all();
    expect_all_dead();
    while (waitpid(-1, NULL, 0) > 0) {}
    close(all[0]);
    close(ready[0]);
    close(ready[1]);
  }
}

/* Ends when it is told to. */
static int go[2];

static void live_until_go(void) {
  char byte;
  close(all[1]);
  CHECK(write(ready[1], "", 1) == 1 && read(go[0], &byte, 1) == 1);
}

static void expect_spared(pid_t pid) {
  int status;
  CHECK(write(go[1], "", 1) == 1);
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* Who was started before is spared. */
static void since(void) {
  const struct timespec some_ticks = {.tv_nsec = 50 * WORLD_MS};
  begin();
  CHECK(pipe2(go, O_CLOEXEC) == 0);
  pid_t old = start(live_until_go);
  until_ready(1);
  nanosleep(&some_ticks, NULL); /* the kernel tells times apart only if there is one between */
  int64_t then = mpl_os_now();
  start(live);
  start(go_deeper);
  until_ready(1 + DEEP);
  mpl_descendants_kill_since(then);
  expect_all_dead();
  expect_spared(old);
}

/*
** Members
*/

static struct mpl_child *start_member(enum mpl_fork_kind kind, void (*f)(void)) {
  struct mpl_child *child;
  CHECK(mpl_fork("test", kind, &child) == MPL_OK);
  if (child == NULL) {
    f();
    _exit(0);
  }
  return child;
}

static void live_with_program(void) {
  start(live);
  live();
}

/* The member lives on, and so does its program. */
static void live_until_go_with_program(void) {
  int status;
  pid_t pid = start(live_until_go);
  live_until_go();
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void exec(void) {
  int program_all = dup(all[1]); /* goes through the exec */
  CHECK(program_all >= 0 && write(ready[1], "", 1) == 1);
  execlp("sleep", "sleep", "1000", (char *)NULL);
  FAIL("no sleep");
}

/* Whether the member is none any more. */
static void until_exec(const struct mpl_child *child) {
  int64_t patience = world_deadline();
  while (mpl_slot_ident_lives(child->ident)) {
    CHECK(mpl_os_now() < patience);
    sched_yield();
  }
}

static void members(void) {
  world_make();
  begin();
  CHECK(pipe2(go, O_CLOEXEC) == 0);
  struct mpl_child *spared = start_member(MPL_FORK_CHILD, live_until_go_with_program);
  struct mpl_child *daemon = start_member(MPL_FORK_DAEMON, live_with_program);
  struct mpl_child *other = start_member(MPL_FORK_RAW, exec);
  until_ready(5);
  until_exec(other);
  mpl_descendants_kill_since(0);
  CHECK(waitpid(other->pid, NULL, 0) == other->pid);
  CHECK(waitpid(daemon->pid, NULL, WNOHANG) == 0); /* it dies with its parent */
  mpl_descendants_kill_all();
  expect_all_dead();
  CHECK(write(go[1], "", 1) == 1);
  expect_spared(spared->pid);
}

int main(void) {
  unit_run("many", many);
  unit_run("deep", deep);
  unit_run("parents_last", parents_last);
  unit_run("threads", threads);
  unit_run("busy", busy);
  unit_run("since", since);
  unit_run("members", members);
  return unit_end("descendants_test");
}
