/*
** Life and end of processes: that exit codes are exact and that nothing is left behind: slots,
** references, blocks, descriptors, maps.
*/
#include <dirent.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "world.h"

static uint64_t queue_id, event_id;

static int count_lines(const char *path) {
  int n = 0, c;
  FILE *f = fopen(path, "re");
  CHECK(f != NULL);
  while ((c = fgetc(f)) != EOF) n += c == '\n';
  fclose(f);
  return n;
}

static int count_descriptors(void) {
  int n = 0;
  DIR *d = opendir("/proc/self/fd");
  CHECK(d != NULL);
  while (readdir(d) != NULL) n++;
  closedir(d);
  return n;
}

/* Everything that could be left behind. */
struct belongings {
  struct world_sum sum;
  int descriptors, maps;
};

static struct belongings belongings(void) {
  return (struct belongings){.sum = world_sum(),
                             .descriptors = count_descriptors(),
                             .maps = count_lines("/proc/self/maps")};
}

static void expect_same(struct belongings before) {
  struct belongings now = belongings();
  WORLD_WHOLE();
  WORLD_SAME(before.sum);
  CHECK(now.descriptors == before.descriptors);
#if !defined(__SANITIZE_ADDRESS__) /* its allocator maps as it likes */
  CHECK(now.maps == before.maps);
#endif
  CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD); /* no zombie */
}

static void make_objects(void) {
  world_make();
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK && mpl_event_new(&event_id) == MPL_OK);
}

static void end_with(void *arg) {
  mpl_exit_child(*(int *)arg);
}

static void stay(void *arg) {
  (void)arg;
  for (;;) pause();
}

/*
** Ending
*/

static void thousand(void) {
  make_objects();
  int code = 0;
  CHECK(world_join(world_start(end_with, &code)) == 0);
  struct belongings before = belongings();
  for (int i = 0; i < 1000; i++) {
    code = i & 255;
    CHECK(world_join(world_start(end_with, &code)) == code);
  }
  expect_same(before);
}

/* More at once than the first chunk of the table has. */
static void two_hundred_at_once(void) {
  struct mpl_child *child[200];
  make_objects();
  struct belongings before = {0};
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 200; i++) child[i] = world_start(end_with, &i);
    for (int i = 0; i < 200; i++) CHECK(world_join(child[(i * 77) % 200]) == (i * 77) % 200);
    if (round == 0) before = belongings(); /* the table has grown */
  }
  expect_same(before);
}

/* Does all kinds of things until it is killed. */
static void be_busy(void *arg) {
  static struct world_batch got;
  (void)arg;
  for (uint64_t i = 0;; i++) {
    uint64_t id;
    CHECK(mpl_lock_new(&id) == MPL_OK);
    CHECK(world_put_number(world_queue(queue_id), i) == MPL_OK);
    CHECK(world_get(world_queue(queue_id), 1, &got, world_deadline()) == MPL_OK);
    mpl_reflist_release(id);
  }
}

static void sleep_us(long us) {
  struct timespec t = {0, us * 1000};
  nanosleep(&t, NULL);
}

static void hundred_killed(void) {
  make_objects();
  CHECK(world_put_number(world_queue(queue_id), 0) == MPL_OK);
  struct belongings before = belongings();
  for (int i = 0; i < 100; i++) {
    struct mpl_child *child = world_start(i % 2 == 0 ? be_busy : stay, NULL);
    sleep_us(500 + i * 10);
    int sig = i % 10 == 9 ? SIGTERM : SIGKILL;
    CHECK(mpl_child_signal(child, sig) == 0);
    CHECK(world_join(child) == -sig);
  }
  before.sum.used = world_sum().used; /* the queue's segment may be another */
  expect_same(before);
}

static void dies_by(void *arg) {
  signal(*(int *)arg, SIG_DFL);
  raise(*(int *)arg);
}

static void signals_as_codes(void) {
  static int signals[] = {SIGKILL, SIGTERM, SIGINT, SIGUSR1, SIGABRT};
  make_objects();
  struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    CHECK(world_join(world_start(dies_by, &signals[i])) == -signals[i]);
}

/*
** Failing to start
*/

/* As a user who may not have another process. */
static void fork_refused(void) {
  struct rlimit limit, before_limit;
  make_objects();
  if (geteuid() == 0) CHECK(setgid(65534) == 0 && setuid(65534) == 0);
  CHECK(getrlimit(RLIMIT_NPROC, &before_limit) == 0);
  struct belongings before = belongings();
  static sigset_t mask_before, mask_after; /* zero where the kernel writes nothing */
  sigprocmask(SIG_SETMASK, NULL, &mask_before);
  limit = (struct rlimit){1, before_limit.rlim_max};
  CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
  for (int i = 0; i < 100; i++) {
    struct mpl_child *child = (struct mpl_child *)&limit;
    errno = 0;
    CHECK(mpl_fork("none", i % 2 == 0 ? MPL_FORK_CHILD : MPL_FORK_DAEMON, &child) == MPL_ERRNO);
    CHECK(errno == EAGAIN && child == NULL);
    CHECK(mpl_fork_raw() == -1 && errno == EAGAIN);
  }
  CHECK(mpl_child_first() == NULL);
  sigprocmask(SIG_SETMASK, NULL, &mask_after);
  CHECK(memcmp(&mask_before, &mask_after, sizeof mask_before) == 0);
  expect_same(before);
  CHECK(setrlimit(RLIMIT_NPROC, &before_limit) == 0);
  int code = 9;
  CHECK(world_join(world_start(end_with, &code)) == 9);
}

/* No room for more slots in shared memory. */
static void no_slot(void) {
  struct mpl_child *child[400], *none;
  int n = 0;
  enum mpl_status s;
  mpl_off block;
  setenv("MPL_SHM_SIZE", "512K", 1);
  make_objects();
  for (uint64_t size = 100000; size >= 64; size /= 2)
    while (mpl_heap_alloc(size, &block) == MPL_OK) {
      mpl_hand_take(mpl_self, block); /* this test's own from now on */
      mpl_tx_commit();
    }
  while ((s = mpl_fork("test", MPL_FORK_CHILD, &none)) == MPL_OK) {
    if (none == NULL) stay(NULL);
    child[n++] = none;
  }
  CHECK(s == MPL_NOMEM && n == MPL_SLOT_CHUNK - 1);
  for (int i = 0; i < n; i++) {
    CHECK(mpl_child_signal(child[i], SIGKILL) == 0);
    CHECK(world_join(child[i]) == -SIGKILL);
  }
  CHECK(world_sum().slots == 1);
}

/*
** Plain forks
*/

static void raw_fork(void) {
  make_objects();
  CHECK(world_put_number(world_queue(queue_id), 0) == MPL_OK);
  world_get_number(world_queue(queue_id));
  struct belongings before = belongings();
  for (int i = 0; i < 50; i++) {
    uint64_t parent = mpl_slot_ident(mpl_self);
    pid_t pid = mpl_fork_raw();
    CHECK(pid >= 0);
    if (pid == 0) {
      bool good = mpl_slot_ident(mpl_self) != parent && mpl_child_first() == NULL &&
                  world_put_number(world_queue(queue_id), (uint64_t)i) == MPL_OK;
      _exit(good ? 77 : 1);
    }
    int status;
    CHECK(world_get_number(world_queue(queue_id)) == (uint64_t)i);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 77);
    mpl_child_reap();
    CHECK(mpl_child_first() == NULL);
  }
  expect_same(before);
}

/*
** Daemons and parents
*/

static void make_daemon(void *arg) {
  struct mpl_child *daemon;
  (void)arg;
  CHECK(mpl_fork("daemon", MPL_FORK_DAEMON, &daemon) == MPL_OK);
  if (daemon == NULL) {
    CHECK(world_put_number(world_queue(queue_id), mpl_slot_ident(mpl_self)) == MPL_OK);
    stay(NULL);
  }
  stay(NULL);
}

static void daemons_die_with_parent(void) {
  make_objects();
  world_adopt();
  for (int i = 0; i < 20; i++) {
    struct mpl_child *parent = world_start(make_daemon, NULL);
    uint64_t daemon = world_get_number(world_queue(queue_id));
    CHECK(mpl_slot_ident_lives(daemon));
    CHECK(mpl_child_signal(parent, SIGKILL) == 0 && world_join(parent) == -SIGKILL);
    int64_t end = world_deadline();
    enum mpl_status s;
    while ((s = mpl_child_join_stranger(daemon, end)) == MPL_SIGNAL)
      mpl_signal_take(MPL_SIGNAL_CHILD);
    CHECK(s == MPL_OK && !mpl_slot_ident_lives(daemon));
  }
  world_sweep();
  CHECK(world_sum().slots == 1);
  WORLD_WHOLE();
}

/* At the end of a program daemons are ended, also one that does not listen; the others are
   awaited. */
static void ignore_term(void *arg) {
  (void)arg;
  signal(SIGTERM, SIG_IGN);
  CHECK(world_put_number(world_queue(queue_id), 1) == MPL_OK);
  stay(NULL);
}

static void set_event(void *arg) {
  (void)arg;
  sleep_us(20000);
  mpl_event_set(world_event(event_id));
}

static void end_of_program(void) {
  struct mpl_child *daemon[2], *child;
  make_objects();
  for (int i = 0; i < 2; i++) {
    CHECK(mpl_fork("daemon", MPL_FORK_DAEMON, &daemon[i]) == MPL_OK);
    if (daemon[i] == NULL) (i == 0 ? stay : ignore_term)(NULL);
  }
  CHECK(world_get_number(world_queue(queue_id)) == 1);
  child = world_start(set_event, NULL);
  CHECK(mpl_exit_join_children() == MPL_OK);
  CHECK(daemon[0]->ended && daemon[0]->exit_code == -SIGTERM);
  CHECK(daemon[1]->ended && daemon[1]->exit_code == -SIGKILL);
  CHECK(child->ended && child->exit_code == 0 && mpl_event_is_set(world_event(event_id)));
  CHECK(world_sum().slots == 1);
}

/*
** Others that meddle
*/

static void other_handler(int sig) {
  (void)sig;
}

static void sigchld_replaced(void) {
  make_objects();
  CHECK(signal(SIGCHLD, other_handler) != SIG_ERR && !mpl_signal_hears_children());
  for (int i = 0; i < 20; i++) CHECK(world_join(world_start(end_with, &i)) == i);
  struct mpl_child *child = world_start(stay, NULL);
  CHECK(mpl_child_join(child, mpl_os_now() + WORLD_MS, 0) == MPL_TIMEOUT);
  CHECK(mpl_child_signal(child, SIGKILL) == 0 && world_join(child) == -SIGKILL);
}

/* Nobody can be waited for then; what the child said of its end still counts. */
static void sigchld_ignored(void) {
  make_objects();
  CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
  for (int i = 0; i < 20; i++) CHECK(world_join(world_start(end_with, &i)) == i);
  struct mpl_child *child = world_start(stay, NULL);
  CHECK(kill(child->pid, SIGKILL) == 0 && world_join(child) == MPL_CHILD_CODE_UNKNOWN);
  CHECK(world_sum().slots == 1);
}

static void reaped_by_others(void) {
  int code = 42, status;
  make_objects();
  struct mpl_child *child = world_start(end_with, &code);
  CHECK(waitpid(-1, &status, 0) == child->pid);
  CHECK(world_join(child) == 42);
  CHECK(world_sum().slots == 1);
}

static void say_and_stay(void *arg) {
  CHECK(world_put_number(world_queue(queue_id), 2) == MPL_OK);
  stay(arg);
}

/* A process waits for one that is not its child. */
static void join_sibling(void *arg) {
  uint64_t ident = *(uint64_t *)arg;
  CHECK(mpl_child_join_stranger(ident, mpl_os_now() + WORLD_MS) == MPL_TIMEOUT);
  CHECK(world_put_number(world_queue(queue_id), 1) == MPL_OK);
  CHECK(mpl_child_join_stranger(ident, world_deadline()) == MPL_OK);
}

static void strangers(void) {
  make_objects();
  for (int i = 0; i < 10; i++) {
    struct mpl_child *child = world_start(say_and_stay, NULL);
    CHECK(world_get_number(world_queue(queue_id)) == 2);
    struct mpl_child *sibling = world_start(join_sibling, &child->ident);
    CHECK(world_get_number(world_queue(queue_id)) == 1);
    CHECK(kill(child->pid, SIGKILL) == 0);
    CHECK(world_join(sibling) == 0 && world_join(child) == -SIGKILL);
  }
  CHECK(world_sum().slots == 1);
}

/* What was printed before a fork is printed once. */
static void output_once(void) {
  char text[100] = "";
  make_objects();
  int fd = memfd_create("output", MFD_CLOEXEC);
  FILE *f = fdopen(fd, "w+");
  CHECK(f != NULL && fputs("one ", f) >= 0);
  for (int i = 0; i < 3; i++) CHECK(world_join(world_start(end_with, &i)) == i);
  CHECK(fputs("two", f) >= 0 && fflush(f) == 0);
  CHECK(pread(fd, text, sizeof text - 1, 0) == 7 && strcmp(text, "one two") == 0);
}

int main(int argc, char **argv) {
  (void)argc;
  unit_run("a thousand children", thousand);
  unit_run("two hundred at once", two_hundred_at_once);
  unit_run("a hundred killed", hundred_killed);
  unit_run("signals as codes", signals_as_codes);
  unit_run("fork refused", fork_refused);
  unit_run("no slot", no_slot);
  unit_run("raw fork", raw_fork);
  unit_run("daemons die with their parent", daemons_die_with_parent);
  unit_run("end of the program", end_of_program);
  unit_run("SIGCHLD replaced", sigchld_replaced);
  unit_run("SIGCHLD ignored", sigchld_ignored);
  unit_run("reaped by others", reaped_by_others);
  unit_run("strangers", strangers);
  unit_run("output once", output_once);
  return unit_end(argv[0]);
}
