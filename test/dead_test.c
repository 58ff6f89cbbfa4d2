/*
** Cleaning up after the dead without their parents' help:
**   - a child that dies before it is a member, also under a parent that is stopped;
**   - a parent that dies during the fork, and what becomes of the child;
**   - that sleepers notice a death which does not concern them, and that memory which the dead hold
**     does not count as used;
**   - that processes which are started and killed in turn leave everything where it was. MPL_DEATHS
**     says how many (100000 for the full run); the seed is printed.
**
**   dead_test [SEED]
*/
#include <pthread.h>
#include <sys/mman.h>

#include "world.h"

/* In `make test` and `make asan`. */
#if defined(__SANITIZE_ADDRESS__)
#define DEATHS 1000
#else
#define DEATHS 4000
#endif
#define DEATHS_A_ROUND 1000

static uint64_t queue_id, rng;
static unsigned long long seed;

static void make_world(void) {
  world_make();
  world_adopt();
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK);
}

static void stay(void *arg) {
  (void)arg;
  for (;;) pause();
}

/* Waits for the end of a process that is not a child of the caller. */
static enum mpl_status join_stranger(uint64_t ident, int64_t deadline) {
  enum mpl_status s;
  while ((s = mpl_child_join_stranger(ident, deadline)) == MPL_SIGNAL)
    mpl_signal_take(MPL_SIGNAL_CHILD);
  return s;
}

static bool until(bool (*ready)(void)) {
  int64_t end = world_deadline();
  while (!ready() && mpl_os_now() < end) sched_yield();
  return ready();
}

/*
** Held forks: while `hold_child` is set a new child stops in the C library's fork, before it is a
** member, until `go`; with `die_in_fork` its parent dies there.
*/

static bool hold_child, die_in_fork;
static struct { mpl_a64 go, unborn; } *gate; /* shared; unborn: pid of the child that is held */

static void in_child(void) {
  if (!hold_child) return;
  mpl_store64_rel(&gate->unborn, (uint64_t)getpid());
  while (mpl_load64_acq(&gate->go) == 0) sched_yield();
}

static bool is_held(void) {
  return mpl_load64_acq(&gate->unborn) != 0;
}

static void in_parent(void) {
  if (!die_in_fork) return;
  while (!is_held()) sched_yield();
  kill(getpid(), SIGKILL);
}

static void make_gate(void) {
  gate = mmap(NULL, sizeof *gate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(gate != MAP_FAILED && pthread_atfork(NULL, in_parent, in_child) == 0);
}

/* Forks a child that is held and puts its identity into the queue; then as arg says. */
enum then { STOP, DIE };

static void hold_one(void *arg) {
  struct mpl_child *child;
  hold_child = true;
  CHECK(mpl_fork("unborn", MPL_FORK_CHILD, &child) == MPL_OK);
  hold_child = false;
  if (child == NULL) {
    CHECK(world_put_number(world_queue(queue_id), 4711) == MPL_OK);
    return;
  }
  CHECK(world_put_number(world_queue(queue_id), child->ident) == MPL_OK);
  kill(getpid(), *(enum then *)arg == STOP ? SIGSTOP : SIGKILL);
}

static void killed_unborn(void) {
  enum then then = STOP;
  make_world();
  make_gate();
  struct mpl_child *parent = world_start(hold_one, &then);
  uint64_t unborn = world_get_number(world_queue(queue_id));
  CHECK(until(is_held) && mpl_slot_ident_lives(unborn));
  CHECK(join_stranger(unborn, mpl_os_now() + WORLD_MS) == MPL_TIMEOUT);
  CHECK(kill((pid_t)mpl_load64_acq(&gate->unborn), SIGKILL) == 0);
  CHECK(join_stranger(unborn, world_deadline()) == MPL_OK);
  CHECK(mpl_slot_find(unborn) == NULL && world_sum().slots == 2);
  CHECK(mpl_child_signal(parent, SIGKILL) == 0 && world_join(parent) == -SIGKILL);
  WORLD_WHOLE();
}

static void orphaned_unborn(void) {
  enum then then = DIE;
  make_world();
  make_gate();
  CHECK(world_join(world_start(hold_one, &then)) == -SIGKILL);
  uint64_t unborn = world_get_number(world_queue(queue_id));
  CHECK(until(is_held));
  mpl_recover_all();
  CHECK(mpl_slot_find(unborn) != NULL && world_sum().slots == 2);
  mpl_store64_rel(&gate->go, 1);
  CHECK(world_get_number(world_queue(queue_id)) == 4711); /* lives on */
  world_sweep();
  CHECK(world_sum().slots == 1);
}

static void in_fork(void *arg) {
  CHECK(dup2(*(int *)arg, STDERR_FILENO) == STDERR_FILENO);
  hold_child = die_in_fork = true;
  world_start(stay, NULL);
}

static void parent_dies_in_fork(void) {
  int status, fd = memfd_create("stderr", MFD_CLOEXEC);
  make_world();
  make_gate();
  struct world_sum before = world_sum();
  CHECK(fd >= 0 && world_join(world_start(in_fork, &fd)) == -SIGKILL);
  mpl_recover_all();
  WORLD_SAME(before); /* at once, although the child lives */
  pid_t unborn = (pid_t)mpl_load64_acq(&gate->unborn);
  CHECK(kill(unborn, 0) == 0);
  mpl_store64_rel(&gate->go, 1);
  CHECK(waitpid(unborn, &status, 0) == unborn && WIFEXITED(status) && WEXITSTATUS(status) == 1);
  CHECK(lseek(fd, 0, SEEK_END) == 0); /* without a word */
  WORLD_SAME(before);
  WORLD_WHOLE();
}

/*
** Noticing
*/

static void make_orphan(void *arg) {
  (void)arg;
  struct mpl_child *child = world_start(stay, NULL);
  CHECK(world_put_number(world_queue(queue_id), child->ident) == MPL_OK);
  CHECK(world_put_number(world_queue(queue_id), (uint64_t)child->pid) == MPL_OK);
}

/* Leaves a process that nobody of the program waits for; its identity. */
static uint64_t orphan(pid_t *pid) {
  CHECK(world_join(world_start(make_orphan, NULL)) == 0);
  uint64_t ident = world_get_number(world_queue(queue_id));
  *pid = (pid_t)world_get_number(world_queue(queue_id));
  CHECK(mpl_slot_ident_lives(ident));
  return ident;
}

static void sleep_long(void *arg) {
  struct mpl_event *event = world_event(*(uint64_t *)arg);
  world_await(event, world_deadline());
}

static uint64_t watched;

static bool is_given_back(void) {
  return mpl_slot_find(watched) == NULL;
}

static void noticed_by_sleepers(void) {
  uint64_t event;
  pid_t pid;
  make_world();
  CHECK(mpl_event_new(&event) == MPL_OK);
  watched = orphan(&pid);
  struct mpl_child *sleeper[3];
  for (int i = 0; i < 3; i++) sleeper[i] = world_start(sleep_long, &event);
  CHECK(kill(pid, SIGKILL) == 0);
  CHECK(until(is_given_back)); /* this process looks, but does not look after it */
  mpl_event_set(world_event(event));
  for (int i = 0; i < 3; i++) CHECK(world_join(sleeper[i]) == 0);
}

/* The only one to refer to a queue that fills most of the arena. */
static void hoard(void *arg) {
  static char bytes[100000];
  (void)arg;
  uint64_t id, n = 0;
  mpl_off message;
  CHECK(mpl_queue_new(0, &id) == MPL_OK);
  for (; mpl_message_new(sizeof bytes, 0, &message) == MPL_OK; n++)
    CHECK(world_put_message(world_queue(id), message) == MPL_OK);
  CHECK(n > 5);
  CHECK(world_put_number(world_queue(queue_id), n) == MPL_OK);
  stay(NULL);
}

static void start_hoarder(void *arg) {
  struct mpl_child *child = world_start(hoard, arg);
  CHECK(world_put_number(world_queue(queue_id), (uint64_t)child->pid) == MPL_OK);
}

static void memory_of_the_dead(void) {
  mpl_off message;
  int status;
  setenv("MPL_SHM_SIZE", "2M", 1);
  make_world();
  CHECK(world_join(world_start(start_hoarder, NULL)) == 0);
  uint64_t a = world_get_number(world_queue(queue_id));
  uint64_t b = world_get_number(world_queue(queue_id)); /* one is the pid, the other the count */
  pid_t pid = (pid_t)(a > b ? a : b);
  uint64_t size = 300000;
  CHECK(mpl_message_new(size, 0, &message) == MPL_NOMEM);
  CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
  CHECK(mpl_message_new(size, 0, &message) == MPL_OK);
  mpl_message_drop(mpl_self, message);
  WORLD_WHOLE();
}

/*
** Started and killed in turn
*/

static uint64_t random_below(uint64_t n) {
  rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
  return rng % n;
}

/* Up to so long, and often not at all: then a child is killed before it is a member. */
static void linger(uint64_t most_us) {
  if (random_below(4) == 0) return;
  int64_t end = mpl_os_now() + (int64_t)random_below(most_us * 1000);
  while (mpl_os_now() < end) mpl_cpu_relax();
}

/* Makes, uses and drops things until it is killed. */
static void be_busy(void *arg) {
  static struct world_batch got;
  (void)arg;
  for (uint64_t i = 0;; i++) {
    uint64_t own, id;
    mpl_off message;
    struct mpl_queue *q = world_queue(queue_id);
    CHECK(mpl_queue_new(0, &own) == MPL_OK && mpl_lock_new(&id) == MPL_OK);
    CHECK(mpl_message_new(500, 1, &message) == MPL_OK);
    CHECK(mpl_message_add_ref(message, id) == MPL_OK);
    CHECK(world_put_message(i % 2 == 0 ? q : world_queue(own), message) == MPL_OK);
    CHECK(world_put_number(q, i) == MPL_OK);
    for (int n = 0; n < 3 && world_get(q, 1, &got, 1) == MPL_OK; n++)
      if (got.batch.item[0].message != 0) mpl_message_drop(mpl_self, got.batch.item[0].message);
    CHECK(world_acquire(world_lock(id), MPL_NEVER) == MPL_OK);
    mpl_reflist_release(id);
    mpl_reflist_release(own);
  }
}

static void have_children(void *arg) {
  for (int i = 0; i < 4; i++) world_start(be_busy, arg);
  be_busy(arg);
}

/* Kills whoever is a member or about to be one; the number. They are adopted children of this
   process. */
static int kill_members(void) {
  int n = 0;
  for (uint64_t i = 0; i < mpl_slot_count(); i++) {
    struct mpl_slot *slot = mpl_slot_at(i);
    enum mpl_slot_state state = mpl_slot_state_of(slot);
    pid_t pid = (pid_t)(state == MPL_SLOT_RESERVED ? mpl_load64_acq(&slot->forked) & UINT32_MAX
                                                   : mpl_load64_acq(&slot->pid));
    if (slot == mpl_self || state == MPL_SLOT_FREE || pid == 0) continue;
    if (kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid) n++;
  }
  return n;
}

static int kill_child(void) {
  struct mpl_child *child = world_start(be_busy, NULL);
  linger(300);
  CHECK(mpl_child_signal(child, SIGKILL) == 0 && world_join(child) == -SIGKILL);
  return 1;
}

/* A child that has children, killed before them, maybe while it starts one. */
static int kill_family(void) {
  struct mpl_child *child = world_start(have_children, NULL);
  linger(3000);
  CHECK(mpl_child_signal(child, SIGKILL) == 0 && world_join(child) == -SIGKILL);
  linger(300);
  return 1 + kill_members();
}

/* Until nobody is left: a child whose parent died in the fork may become a member late, or none. */
static void settle(void) {
  pid_t pid;
  while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0 || errno == EINTR)
    if (pid == 0 && kill_members() == 0) sched_yield();
  mpl_recover_all();
  CHECK(world_sum().slots == 1);
}

static int killed_in_turn(int deaths) {
  int n = 0;
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK);
  while (n < deaths) n += random_below(3) > 0 ? kill_child() : kill_family();
  settle();
  mpl_reflist_release(queue_id);
  mpl_object_bury();
  return n;
}

static void in_turn(void) {
  const char *text = getenv("MPL_DEATHS");
  int deaths = text == NULL ? DEATHS : atoi(text), n = 0;
  make_world();
  killed_in_turn(50); /* tables have grown, lists are where they stay */
  struct world_sum before = world_sum();
  int64_t began = mpl_os_now();
  while (n < deaths) {
    n += killed_in_turn(deaths - n < DEATHS_A_ROUND ? deaths - n : DEATHS_A_ROUND);
    WORLD_SAME(before);
    WORLD_WHOLE();
  }
  printf("seed %llu: %d killed in %.1f s, %lu cleaned up after, %lu sections rolled back\n",
         seed, n, (double)(mpl_os_now() - began) / MPL_NS_PER_S,
         (unsigned long)mpl_load64_rlx(&mpl_super()->recovered),
         (unsigned long)mpl_load64_rlx(&mpl_super()->rolled_back));
}

int main(int argc, char **argv) {
  seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (unsigned long long)mpl_os_now();
  rng = seed | 1;
  unit_run("a child is killed before it is a member", killed_unborn);
  unit_run("a parent dies before its child is a member", orphaned_unborn);
  unit_run("a parent dies during the fork", parent_dies_in_fork);
  unit_run("sleepers notice the dead", noticed_by_sleepers);
  unit_run("memory that the dead hold", memory_of_the_dead);
  unit_run("started and killed in turn", in_turn);
  return unit_end(argv[0]);
}
