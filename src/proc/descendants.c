/*
** The programs that this process has started: see descendants.h.
**
** They are found generation by generation, in a table instead of a recursion, and none of them is
** killed before all are stopped. If this process dies half way those that it has stopped by then
** are left so.
*/
#include "proc/descendants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/point.h"
#include "shm/slot.h"

/* Programs that are killed together. Those beyond are killed as they are found, and what they have
   started is not found. */
#define MOST 4096

/* How long is waited, for all together, until those that are to stop have stopped, and how often
   one looks. It takes some 50 µs; only who sleeps uninterruptibly takes longer. */
#define PATIENCE_NS (100 * 1000 * 1000LL)
#define NAP_NS (50 * 1000L)

static struct {
  pid_t program[MOST]; /* all stopped */
  unsigned count;
  bool dying;        /* this process is about to die: its daemons, too */
  uint64_t since;    /* children that were started before this are spared; ticks since the boot */
  int64_t patience;  /* until when stops are waited for */
} sweep;

/*
** Text of /proc
*/

static char *put_number(char *at, pid_t n) {
  char digit[16];
  int digits = 0;
  do digit[digits++] = (char)('0' + n % 10);
  while ((n /= 10) > 0);
  while (digits > 0) *at++ = digit[--digits];
  *at = '\0';
  return at;
}

/* Opens /proc/PID and what follows; -1 on failure. */
static int open_of(pid_t pid, const char *rest, int flags) {
  char path[64];
  stpcpy(put_number(stpcpy(path, "/proc/"), pid), rest);
  return open(path, O_RDONLY | O_CLOEXEC | flags);
}

static ssize_t read_some(int fd, char *text, size_t size) {
  ssize_t n;
  do n = read(fd, text, size);
  while (n < 0 && errno == EINTR);
  return n;
}

/* Whether /proc has the pids that this process knows: in a new pid namespace it may be the old
   one's, where they are strangers'. */
static bool proc_is_ours(void) {
  char target[16], self[16];
  ssize_t n = readlink("/proc/self", target, sizeof target);
  char *end = put_number(self, getpid());
  return n == end - self && memcmp(target, self, (size_t)n) == 0;
}

struct look {
  char state;       /* the kernel's letter */
  uint64_t started; /* ticks since the boot */
};

/* Looks at a process: false if it is gone. */
static bool look_at(pid_t pid, struct look *look) {
  char text[768]; /* enough for the fields of interest */
  int fd = open_of(pid, "/stat", 0);
  if (fd < 0) return false;
  ssize_t n = read_some(fd, text, sizeof text - 1);
  close(fd);
  text[n > 0 ? n : 0] = '\0';
  /* The name stands in parentheses and may have some in it. Field 3 follows, the state; the start
     is field 22. */
  const char *at = strrchr(text, ')');
  if (at == NULL || *++at != ' ') return false;
  look->state = at[1];
  for (int field = 3; field < 22 && at != NULL; field++) at = strchr(at + 1, ' ');
  if (at == NULL) return false;
  look->started = 0;
  while (*++at >= '0' && *at <= '9') look->started = look->started * 10 + (uint64_t)(*at - '0');
  return true;
}

/*
** Whom to kill
*/

/* Whether the pid is that of a member which is not to be killed here. */
static bool is_spared_member(pid_t pid) {
  uint64_t count = mpl_self == NULL ? 0 : mpl_slot_count();
  for (uint64_t i = 0; i < count; i++) {
    struct mpl_slot *slot = mpl_slot_at(i);
    /* One of the two is there once the parent has come back from its fork; but for a fork by others
       (proc/fork.c), whose child is taken for a program until it has claimed its slot. */
    bool has_pid = (pid_t)mpl_load64_rlx(&slot->pid) == pid ||
                   (pid_t)(mpl_load64_rlx(&slot->forked) & UINT32_MAX) == pid;
    /* After an exec it is no member any more: the life mutex tells that. */
    if (has_pid && mpl_slot_lives(slot))
      return !sweep.dying || mpl_load64_rlx(&slot->daemon) == 0;
  }
  return false;
}

static bool is_known(pid_t pid) {
  for (unsigned i = 0; i < sweep.count; i++)
    if (sweep.program[i] == pid) return true;
  return false;
}

/* Stops a program that is a child of this process, or of one that is stopped. */
static void stop(pid_t pid, bool mine) {
  struct look look;
  if (is_known(pid) || is_spared_member(pid)) return;
  if (mine && sweep.since > 0 && (!look_at(pid, &look) || look.started < sweep.since)) return;
  MPL_POINT();
  if (sweep.count == MOST)
    kill(pid, SIGKILL);
  else if (kill(pid, SIGSTOP) == 0)
    sweep.program[sweep.count++] = pid;
}

/* Returns when a process that was sent SIGSTOP has stopped or ended, and so begets no more. It may
   have been in the middle of a fork. */
static void await_stop(pid_t pid) {
  const struct timespec nap = {.tv_nsec = NAP_NS};
  struct look look;
  while (look_at(pid, &look) && strchr("RSD", look.state) != NULL &&
         mpl_os_now() < sweep.patience)
    nanosleep(&nap, NULL);
}

/*
** Finding them
*/

/* Stops the children of one thread. `task` is the directory of the process's threads. */
static void stop_children_of_thread(int task, const char *tid, bool mine) {
  char path[sizeof((struct dirent64 *)0)->d_name + sizeof "/children"], text[512];
  stpcpy(stpcpy(path, tid), "/children");
  int fd = openat(task, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  pid_t pid = 0; /* so far: a number may be cut by the end of the text */
  for (ssize_t n; (n = read_some(fd, text, sizeof text)) > 0;)
    for (ssize_t i = 0; i < n; i++) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else { /* a space behind each */
        if (pid > 0) stop(pid, mine);
        pid = 0;
      }
    }
  close(fd);
}

/* Stops the children of a process: each thread has its own. */
static void stop_children(pid_t pid, bool mine) {
  _Alignas(struct dirent64) char entries[1024];
  int task = open_of(pid, "/task", O_DIRECTORY);
  if (task < 0) return;
  for (ssize_t n; (n = getdents64(task, entries, sizeof entries)) > 0;)
    for (ssize_t at = 0; at < n;) {
      const struct dirent64 *e = (const struct dirent64 *)(const void *)(entries + at);
      if (e->d_name[0] != '.') stop_children_of_thread(task, e->d_name, mine);
      at += e->d_reclen;
    }
  close(task);
}

/* Once more until there is nobody new: who was about to end when it was to stop may have left its
   children to one who was looked at before. */
static void stop_all(void) {
  pid_t self = getpid();
  unsigned before;
  do {
    before = sweep.count;
    stop_children(self, true);
    for (unsigned i = 0; i < sweep.count; i++) {
      await_stop(sweep.program[i]);
      stop_children(sweep.program[i], false);
    }
  } while (sweep.count > before);
}

static void kill_programs(uint64_t since, bool dying) {
  if (!proc_is_ours()) return;
  sweep.count = 0;
  sweep.since = since;
  sweep.dying = dying;
  sweep.patience = mpl_os_now() + PATIENCE_NS;
  stop_all();
  /* Children before their parents: see descendants.h. */
  while (sweep.count > 0) {
    MPL_POINT();
    kill(sweep.program[--sweep.count], SIGKILL);
  }
}

/* Kills all programs, and the daemons with theirs; the caller is about to die. */
void mpl_descendants_kill_all(void) {
  kill_programs(0, true);
}

/* Kills the programs that this process has started since then (as mpl_os_now) with what these have
   started. The kernel keeps time in hundredths of a second: it may be one started that much
   earlier. */
void mpl_descendants_kill_since(int64_t since) {
  struct timespec boot; /* the kernel's clock goes on while the machine sleeps */
  clock_gettime(CLOCK_BOOTTIME, &boot);
  int64_t now = (int64_t)boot.tv_sec * MPL_NS_PER_S + boot.tv_nsec;
  int64_t start = now - (mpl_os_now() - since);
  kill_programs((uint64_t)(start / (MPL_NS_PER_S / sysconf(_SC_CLK_TCK))), false);
}
