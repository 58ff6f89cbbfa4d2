/*
** Signals: see signal.h.
*/
#include "proc/signal.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/os.h"
#include "base/point.h"
#include "proc/alarm.h"
#include "proc/exit.h"
#include "shm/wait.h"

/* A real-time signal, far from those that programs use for themselves. */
#define TICK_SIGNAL (SIGRTMAX - 3)

/* How often a pending interrupt is brought to mind, ns. */
#define TICK_NS (5 * 1000 * 1000L)

static void (*on_interrupt)(void);
static volatile sig_atomic_t ending; /* an interrupt ends the process, the next one at once */
static int timer;
static bool timer_made; /* by this process: a fork takes no timer along */

static void attend(uint32_t bit) {
  mpl_or32_ar(&mpl_wait_attention, bit);
  mpl_wait_ring();
}

/* In handlers: the bit is set, waits end, and code that runs is interrupted. */
void mpl_signal_strike(uint32_t bit) {
  attend(bit);
  if (on_interrupt != NULL) on_interrupt();
}

/* Starts or stops the tick; in handlers. Without a timer an interrupt is brought to mind only
   once. */
static void tick(bool on) {
  if (on && !timer_made) timer_made = mpl_os_timer_create(TICK_SIGNAL, &timer) == 0;
  if (timer_made) mpl_os_timer_set(timer, on ? TICK_NS : 0, TICK_NS);
}

/* Whether SIGINT comes from a parent that ends its children and sees to it that they end. */
static bool is_passed_on(void) {
  return mpl_self != NULL && mpl_load64_rlx(&mpl_self->interrupt) == MPL_SLOT_INTERRUPT_PASSED;
}

static void end_at_once(void) {
  if (mpl_self != NULL) mpl_exit_kill_family(mpl_slot_ident(mpl_self));
  mpl_signal_die_of_interrupt();
}

static void handle_interrupt(int sig) {
  (void)sig;
  if (ending || mpl_signal_pending(MPL_SIGNAL_INTERRUPT)) {
    if (!is_passed_on()) end_at_once();
    return;
  }
  mpl_signal_strike(MPL_SIGNAL_INTERRUPT);
  tick(true);
}

static void handle_child(int sig) {
  (void)sig;
  attend(MPL_SIGNAL_CHILD);
}

/* As long as an interrupt is pending: which coroutine runs may have changed just when the signal
   came, or C code may have run one of its own. */
static void handle_tick(int sig) {
  (void)sig;
  if (!mpl_signal_pending(MPL_SIGNAL_INTERRUPT))
    tick(false);
  else if (on_interrupt != NULL)
    on_interrupt();
}

/* SA_RESTART: a script's own reads and writes do not fail because a child ended. */
static void set_handler(int sig, void (*handler)(int)) {
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigemptyset(&a.sa_mask);
  MPL_POINT();
  sigaction(sig, &a, NULL);
}

static bool is_ignored(int sig) {
  struct sigaction a;
  return sigaction(sig, NULL, &a) == 0 && a.sa_handler == SIG_IGN;
}

/* Takes over SIGINT, unless the program was started with it ignored. */
void mpl_signal_hear_interrupts(void) {
  if (is_ignored(SIGINT)) return;
  set_handler(TICK_SIGNAL, handle_tick);
  set_handler(SIGINT, handle_interrupt);
}

/* Takes over SIGCHLD, also where it was ignored: exit codes could not be had otherwise. */
void mpl_signal_hear_children(void) {
  set_handler(SIGCHLD, handle_child);
}

/* f is called in the handler of SIGINT; NULL for nothing. */
void mpl_signal_on_interrupt(void (*f)(void)) {
  on_interrupt = f;
}

/* Takes the bits that are set among those asked for. */
uint32_t mpl_signal_take(uint32_t bits) {
  if ((mpl_load32_rlx(&mpl_wait_attention) & bits) == 0) return 0;
  return mpl_and32_ar(&mpl_wait_attention, ~bits) & bits;
}

bool mpl_signal_pending(uint32_t bits) {
  return (mpl_load32_rlx(&mpl_wait_attention) & bits) != 0;
}

/* False if the script has put a handler of its own in the place of ours for SIGCHLD. */
bool mpl_signal_hears_children(void) {
  struct sigaction a;
  return sigaction(SIGCHLD, NULL, &a) == 0 && a.sa_handler == handle_child;
}

/* An interrupt that nobody handled ends this process: another one ends it at once; if that has come
   already, now. */
void mpl_signal_expect_last(void) {
  ending = 1;
  if (mpl_signal_take(MPL_SIGNAL_INTERRUPT) && !is_passed_on()) end_at_once();
}

/* In a child after the fork: what was the parent's to attend to is not the child's. */
void mpl_signal_forget(void) {
  mpl_store32_rlx(&mpl_wait_attention, 0);
  ending = 0;
  timer_made = false;
  mpl_alarm_forget();
}

/* Ends the process as the default action of SIGINT does; a shell shows status 130. */
void mpl_signal_die_of_interrupt(void) {
  sigset_t set;
  set_handler(SIGINT, SIG_DFL);
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  raise(SIGINT);
}
