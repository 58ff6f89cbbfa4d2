/*
** What Ctrl-C does while the host is in charge: see sigint.h.
*/
#include "host/sigint.h"

#include <signal.h>
#include <stddef.h>

#include "proc/signal.h"

static volatile sig_atomic_t noted;

static void note(int signal) {
  (void)signal;
  noted = 1;
}

/* From now on Ctrl-C raises an error in the running code. */
void mpl_sigint_arm(void) {
  mpl_signal_hear_interrupts();
}

/* The program ends because of Ctrl-C: from now on another one ends it at once. */
void mpl_sigint_expect_last(void) {
  mpl_signal_expect_last();
}

/* From now on Ctrl-C makes mpl_sigint_noted true, and ends a waiting system call with EINTR. */
void mpl_sigint_note(void) {
  struct sigaction action = {.sa_handler = note};
  noted = 0;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
}

/* True if Ctrl-C came since mpl_sigint_note. */
bool mpl_sigint_noted(void) {
  return noted != 0;
}
