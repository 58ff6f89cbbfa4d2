/*
** The alarm of a task: see alarm.h.
*/
#include "proc/alarm.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/os.h"
#include "base/point.h"
#include "proc/descendants.h"
#include "proc/signal.h"

/* How long a task goes on after it was struck, and how often it is struck meanwhile, ns. */
#define GRACE MPL_NS_PER_S
#define AGAIN (100 * 1000 * 1000L)

static struct {
  mpl_a64 *volatile ended;          /* 1: the process is to die; NULL: nobody can say so */
  struct mpl_chunk *volatile chunk; /* whose task runs; NULL: none */
  volatile int64_t began;           /* the task, or some milliseconds earlier */
  volatile int64_t deadline;        /* of the task; MPL_NEVER: none */
  volatile sig_atomic_t struck;     /* enum mpl_chunk_kind: why it is to end */
  volatile int64_t last;            /* when the process is killed */
  volatile int64_t timer_at;        /* when the timer strikes; MPL_NEVER: it is stopped */
  int timer;
  bool timer_made; /* by this process: a fork takes no timer along */
} alarm_of = {.timer_at = MPL_NEVER};

/* Sets the timer. In the handler, too. Without a timer a task has no limit. */
static void set_timer(int64_t at) {
  if (!alarm_of.timer_made)
    alarm_of.timer_made = mpl_os_timer_create(MPL_ALARM_SIGNAL, &alarm_of.timer) == 0;
  if (!alarm_of.timer_made) return;
  int64_t left = at - mpl_os_now();
  alarm_of.timer_at = at;
  mpl_os_timer_set(alarm_of.timer, left > 0 ? left : 1, 0);
}

/* The task is to end. So do the programs that it has started: it may be in os.execute or read from
   io.popen, and comes back from there only when they end. The error that follows ends the task, and
   the worker goes on. Programs that earlier tasks or the initializer have started are spared, as
   later tasks may need them; so are those that the task starts from now on, to clean up. If it does
   not end the worker dies, and all programs with it: there is nobody left who would wait for
   them. */
static void strike(enum mpl_chunk_kind why, int64_t now) {
  alarm_of.struck = (sig_atomic_t)why;
  alarm_of.last = now + GRACE;
  mpl_descendants_kill_since(alarm_of.began);
}

/* Ends this process and all that it has started; no other signal is to end it half way. */
static void die(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  mpl_descendants_kill_all();
  kill(getpid(), SIGKILL);
}

/* The task was struck, and goes on. */
static void strike_again(int64_t now) {
  struct mpl_chunk *c = alarm_of.chunk;
  if (now >= alarm_of.last) {
    mpl_store64_rlx(&c->verdict, (uint64_t)alarm_of.struck);
    mpl_fence_death();
    die();
  }
  mpl_signal_strike(MPL_SIGNAL_TASK);
  set_timer(now + AGAIN < alarm_of.last ? now + AGAIN : alarm_of.last);
}

static void look(void) {
  struct mpl_chunk *c = alarm_of.chunk;
  int64_t now = mpl_os_now();
  if (alarm_of.ended != NULL && mpl_load64_acq(alarm_of.ended) != 0) die();
  if (alarm_of.timer_at <= now) alarm_of.timer_at = MPL_NEVER;
  if (c == NULL) return;
  if (alarm_of.struck == MPL_CHUNK_NONE) {
    if (mpl_load64_acq(&c->cancel) != 0)
      strike(MPL_CHUNK_CANCELLED, now);
    else if (alarm_of.deadline <= now)
      strike(MPL_CHUNK_TIMEOUT, now);
  }
  if (alarm_of.struck != MPL_CHUNK_NONE)
    strike_again(now);
  else if (alarm_of.deadline < alarm_of.timer_at)
    set_timer(alarm_of.deadline);
}

static void handle(int sig) {
  int error = errno;
  (void)sig;
  look();
  errno = error;
}

/* From now on this process hears the alarm, and dies of it if *ended is 1. */
void mpl_alarm_open(mpl_a64 *ended) {
  struct sigaction a = {.sa_handler = handle, .sa_flags = SA_RESTART};
  sigemptyset(&a.sa_mask);
  alarm_of.ended = ended;
  MPL_POINT();
  sigaction(MPL_ALARM_SIGNAL, &a, NULL);
}

/* A task of the chunk is about to run, `tick` is the time by mpl_os_tick. False if it must not: the
   chunk was cancelled. */
bool mpl_alarm_start(struct mpl_chunk *c, int64_t tick) {
  alarm_of.struck = MPL_CHUNK_NONE;
  alarm_of.began = c->timeout > 0 ? mpl_os_now() : tick;
  alarm_of.deadline = c->timeout > 0 ? alarm_of.began + c->timeout : MPL_NEVER;
  alarm_of.chunk = c;
  mpl_fence_death();
  /* Before this the handler did nothing, and nobody may strike again. After it, it does what is
     done here. */
  if (mpl_load64_acq(&c->cancel) != 0) {
    mpl_alarm_stop();
    return false;
  }
  if (alarm_of.deadline < alarm_of.timer_at) set_timer(alarm_of.deadline);
  return true;
}

/* The task has ended. Why it was struck, MPL_CHUNK_NONE if it was not. A timer that still runs
   is for the next task. */
enum mpl_chunk_kind mpl_alarm_stop(void) {
  alarm_of.chunk = NULL;
  mpl_fence_death();
  if (alarm_of.struck != MPL_CHUNK_NONE) mpl_signal_take(MPL_SIGNAL_TASK);
  return (enum mpl_chunk_kind)alarm_of.struck;
}

/* Why the task that runs was struck. */
enum mpl_chunk_kind mpl_alarm_struck(void) {
  return (enum mpl_chunk_kind)alarm_of.struck;
}

/* In a child after a fork: what its parent did is not its task, and the timer is the parent's. */
void mpl_alarm_forget(void) {
  alarm_of.ended = NULL;
  alarm_of.chunk = NULL;
  alarm_of.timer_made = false;
  alarm_of.timer_at = MPL_NEVER;
}
