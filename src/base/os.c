/*
** System calls: see os.h. Nothing here keeps state but the answers to "does this kernel have it"
** and the C library's own fork.
*/
#include "base/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/point.h"

/* Numbers and shapes newer than the headers of the oldest supported system. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define WAITV_SIZE_U32 2u

struct waitv_entry {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

static struct timespec timespec_of(int64_t ns) {
  return (struct timespec){.tv_sec = (time_t)(ns / MPL_NS_PER_S),
                           .tv_nsec = (long)(ns % MPL_NS_PER_S)};
}

/* Monotonic time in nanoseconds. */
int64_t mpl_os_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * MPL_NS_PER_S + t.tv_nsec;
}

/* The same as of the system's last timer tick: some milliseconds late, and several times as
   fast. */
int64_t mpl_os_tick(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return (int64_t)t.tv_sec * MPL_NS_PER_S + t.tv_nsec;
}

/* The CPU that runs the caller, stale as soon as it is known; -1 if the system does not say. */
int mpl_os_cpu(void) {
  return sched_getcpu();
}

pid_t mpl_os_pid(void) {
  return getpid();
}

/* Opens those of the descriptors 0 to 2 that are closed, on /dev/null; -1 and errno. Else the next
   file to be opened would be the standard input or output of whoever reads or writes it. */
int mpl_os_open_standard(void) {
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) return -1;
  return 0;
}

/* A file in memory without a name; -1 and errno. Closed by exec. */
int mpl_os_memfd(const char *name) {
  MPL_POINT();
  return memfd_create(name, MFD_CLOEXEC);
}

/* Maps `size` bytes of the file, shared, without asking for memory; NULL and errno. Pages exist
   only once mpl_os_populate made them. Left out of core dumps: one of them would fill the disk. */
void *mpl_os_reserve(int fd, size_t size) {
  MPL_POINT();
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (p == MAP_FAILED) return NULL;
  madvise(p, size, MADV_DONTDUMP);
  return p;
}

/* Makes sure that the bytes of the file have memory, growing it as needed; -1 and errno. */
int mpl_os_populate(int fd, uint64_t offset, uint64_t size) {
  int r;
  MPL_POINT();
  if (MPL_FAULT()) return errno = ENOSPC, -1;
  do {
    r = fallocate(fd, 0, (off_t)offset, (off_t)size);
  } while (r != 0 && errno == EINTR);
  return r;
}

/* Gives the memory of whole pages of a shared mapping back; they must be populated before they are
   used again. -1 and errno. */
int mpl_os_punch(void *start, size_t size) {
  MPL_POINT();
  return madvise(start, size, MADV_REMOVE);
}

/* Fills `out` with random bytes; -1 and errno. */
int mpl_os_random(void *out, size_t size) {
  unsigned char *p = out;
  while (size > 0) {
    MPL_POINT();
    ssize_t n = getrandom(p, size, 0);
    if (n < 0 && errno != EINTR) return -1;
    if (n > 0) p += n, size -= (size_t)n;
  }
  return 0;
}

/*
** Futexes. Never FUTEX_PRIVATE_FLAG: the words are shared between processes, and a private wake
** would find nobody.
*/

/* Sleeps until *word is woken, differs from `seen`, the deadline or a signal. 0 or errno
   (EAGAIN: it differed, ETIMEDOUT, EINTR). May also return 0 for no reason. */
int mpl_os_futex_wait(mpl_a32 *word, uint32_t seen, int64_t deadline) {
  struct timespec t = timespec_of(deadline);
  MPL_POINT();
  /* FUTEX_WAIT_BITSET, because its time-out is absolute. */
  long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, deadline == MPL_NEVER ? NULL : &t,
                   NULL, FUTEX_BITSET_MATCH_ANY);
  return r < 0 ? errno : 0;
}

/* The same for several words (n <= MPL_OS_WAITV_MAX); ENOSYS before Linux 5.16. */
int mpl_os_futex_waitv(const struct mpl_os_word *words, int n, int64_t deadline) {
  struct waitv_entry v[MPL_OS_WAITV_MAX];
  for (int i = 0; i < n; i++)
    v[i] = (struct waitv_entry){.value = words[i].seen,
                                .address = (uint64_t)(uintptr_t)words[i].word,
                                .flags = WAITV_SIZE_U32};
  struct timespec t = timespec_of(deadline);
  MPL_POINT();
  long r = syscall(SYS_futex_waitv, v, (unsigned)n, 0u, deadline == MPL_NEVER ? NULL : &t,
                   CLOCK_MONOTONIC);
  return r < 0 ? errno : 0;
}

/* True if the kernel has futex_waitv. MPL_NO_WAITV=1 in the environment says that it has not, so
   that both ways can be tested on one machine. */
bool mpl_os_has_waitv(void) {
  static int known = -1;
  if (known < 0) {
    const char *off = getenv("MPL_NO_WAITV");
    if (off != NULL && *off == '1') {
      known = 0;
    } else {
      /* No words at all: EINVAL where the call exists. */
      known = !(syscall(SYS_futex_waitv, NULL, 0u, 0u, NULL, CLOCK_MONOTONIC) < 0 &&
                errno == ENOSYS);
    }
  }
  return known == 1;
}

/* Wakes up to n sleepers and returns how many. Safe in a signal handler. */
int mpl_os_futex_wake(mpl_a32 *word, int n) {
  MPL_POINT();
  int saved = errno;
  long r = syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
  errno = saved;
  return r < 0 ? 0 : (int)r;
}

/*
** Sleeps until the descriptor is ready for one of the events of poll(2), is closed or broken, a
** signal came or `limit` has passed, which the system reads as the sleep begins: a handler that ran
** before has its say if it writes there. (The C library's ppoll would read it earlier.) Changes
** *limit. 1: ready; 0: the time has passed; -1 and errno.
*/
int mpl_os_poll_one(int fd, short events, struct timespec *limit) {
  struct pollfd p = {.fd = fd, .events = events};
  MPL_POINT();
  return (int)syscall(SYS_ppoll, &p, 1, limit, NULL, 0);
}

/*
** Timers of a process. Straight system calls, so that a signal handler may use them.
*/

/* Makes one, stopped; it sends `sig`. -1 and errno. */
int mpl_os_timer_create(int sig, int *timer) {
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig};
  MPL_POINT();
  return (int)syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, timer);
}

/* Has it send its signal after `first` nanoseconds (0 stops it), and then every `period` (0:
   once). */
void mpl_os_timer_set(int timer, int64_t first, int64_t period) {
  struct itimerspec spec = {timespec_of(period), timespec_of(first)};
  MPL_POINT();
  syscall(SYS_timer_settime, timer, 0, &spec, NULL);
}

/*
** Processes
*/

/* The C library's fork, also where the program defines a `fork` of its own in front of it.
   As fork(2): -1 and errno. */
pid_t mpl_os_fork(void) {
  static pid_t (*real)(void);
  if (real == NULL) {
    void *symbol = dlsym(RTLD_NEXT, "fork");
    if (symbol == NULL) return errno = ENOSYS, -1;
    memcpy(&real, &symbol, sizeof real); /* ISO C has no cast from object to function pointer */
  }
  MPL_POINT();
  pid_t pid = real();
  MPL_POINT();
  return pid;
}

/* As ppoll(2), until an absolute deadline: how many are ready, 0 at the deadline; -1 and errno
   (EINTR). */
int mpl_os_poll(struct pollfd *fds, int n, int64_t deadline, const sigset_t *mask) {
  int64_t left = deadline == MPL_NEVER ? 0 : deadline - mpl_os_now();
  struct timespec t = timespec_of(left > 0 ? left : 0);
  MPL_POINT();
  return ppoll(fds, (nfds_t)n, deadline == MPL_NEVER ? NULL : &t, mask);
}

/* A descriptor that polls readable once the process has ended; -1 and errno. Closed by exec. */
int mpl_os_pidfd(pid_t pid) {
  MPL_POINT();
  return (int)syscall(SYS_pidfd_open, pid, 0u);
}

/* Whether nothing runs under this pid: nobody has it, or a process that has ended and was not
   reaped. False also if that cannot be found out. */
bool mpl_os_pid_dead(pid_t pid) {
  int fd = mpl_os_pidfd(pid);
  if (fd < 0) return errno == ESRCH;
  struct pollfd p = {.fd = fd, .events = POLLIN};
  bool dead = poll(&p, 1, 0) == 1;
  close(fd);
  return dead;
}

/* A descriptor that polls readable; -1 and errno. Closed by exec. */
int mpl_os_ready_fd(void) {
  MPL_POINT();
  return eventfd(1, EFD_CLOEXEC);
}

/* Reaps the child `pid`, and only that one. 1 and *status (as waitpid), 0 if it still runs, -1 and
   errno (ECHILD: somebody else has reaped it). Retries on EINTR. */
int mpl_os_wait_pid(pid_t pid, int *status) {
  pid_t r;
  MPL_POINT();
  do {
    r = waitpid(pid, status, WNOHANG);
  } while (r < 0 && errno == EINTR);
  MPL_POINT();
  return r == pid ? 1 : (int)r;
}

/* Has the kernel send `sig` to the caller when the thread that forked it ends; -1 and errno. The
   caller must look afterwards whether its parent had died before. */
int mpl_os_die_with_parent(int sig) {
  MPL_POINT();
  return prctl(PR_SET_PDEATHSIG, sig, 0, 0, 0);
}
