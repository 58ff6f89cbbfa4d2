/*
** The system calls that are Linux's own, or that need care: memory, futexes, clocks, fork and wait.
** (Signals are in proc/signal.h, limits in base/limits.h.) Every function says what it returns on
** failure; none retries on EINTR unless it says so. Time is nanoseconds of CLOCK_MONOTONIC in an
** int64_t, and deadlines are absolute: MPL_NEVER is no deadline, anything that lies in the past
** does not wait.
*/
#ifndef MPL_BASE_OS_H
#define MPL_BASE_OS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/atomic.h"

#define MPL_NEVER INT64_MAX
#define MPL_NS_PER_S 1000000000LL

/* Most words that one mpl_os_futex_waitv can sleep on (the kernel's limit). */
#define MPL_OS_WAITV_MAX 128

struct mpl_os_word {
  mpl_a32 *word;
  uint32_t seen; /* the sleep ends at once if *word differs */
};

int64_t mpl_os_now(void);
int64_t mpl_os_tick(void);
int mpl_os_cpu(void);
pid_t mpl_os_pid(void);

int mpl_os_open_standard(void);
int mpl_os_memfd(const char *name);
void *mpl_os_reserve(int fd, size_t size);
int mpl_os_populate(int fd, uint64_t offset, uint64_t size);
int mpl_os_punch(void *start, size_t size);
int mpl_os_random(void *out, size_t size);

int mpl_os_futex_wait(mpl_a32 *word, uint32_t seen, int64_t deadline);
int mpl_os_futex_waitv(const struct mpl_os_word *words, int n, int64_t deadline);
bool mpl_os_has_waitv(void);
int mpl_os_futex_wake(mpl_a32 *word, int n);

int mpl_os_poll_one(int fd, short events, struct timespec *limit);

int mpl_os_timer_create(int sig, int *timer);
void mpl_os_timer_set(int timer, int64_t first, int64_t period);

pid_t mpl_os_fork(void);
int mpl_os_poll(struct pollfd *fds, int n, int64_t deadline, const sigset_t *mask);
int mpl_os_pidfd(pid_t pid);
bool mpl_os_pid_dead(pid_t pid);
int mpl_os_ready_fd(void);
int mpl_os_wait_pid(pid_t pid, int *status);
int mpl_os_die_with_parent(int sig);

#endif
