/*
** Waiting for many things: see many.h.
**
** SIGURG is blocked but in ppoll, so that one sent between the look and the sleep is not missed. The signals
** with handlers of their own are blocked there, too: those that came before have left a mark in
** mpl_wait_attention.
*/
#include "shm/many.h"

#include <errno.h>
#include <signal.h>

#include "base/os.h"
#include "shm/super.h"

/* Wakes all who wait elsewhere: they look for themselves whether it concerns them. */
static void ring(void) {
  struct mpl_super *super = mpl_super();
  mpl_add32_ar(&super->bell, 1);
  mpl_os_futex_wake(&super->bell, INT32_MAX);
  for (uint64_t i = 0; i < mpl_slot_count(); i++) {
    struct mpl_slot *slot = mpl_slot_at(i);
    if (mpl_load32_acq(&slot->polls) != 0 && mpl_slot_lives(slot))
      kill((pid_t)mpl_load64_rlx(&slot->pid), SIGURG);
  }
}

/* Makes event counts ring the bell; before the first wait. */
void mpl_many_install(void) {
  mpl_ec_install(ring);
}

static void handle_urgent(int sig) {
  (void)sig; /* it ends ppoll, that is all */
}

/* SIGURG is ours from now on. */
static void hear_urgent(void) {
  static bool heard;
  if (heard) return;
  struct sigaction a = {.sa_handler = handle_urgent};
  sigset_t urgent;
  sigemptyset(&a.sa_mask);
  sigemptyset(&urgent);
  sigaddset(&urgent, SIGURG);
  sigprocmask(SIG_BLOCK, &urgent, NULL);
  sigaction(SIGURG, &a, NULL);
  heard = true;
}

/* The caller is about to look and then to sleep. */
void mpl_many_arm(struct mpl_many *many) {
  if (many->nfd > 0) {
    hear_urgent();
    mpl_store32_rel(&mpl_self->polls, 1);
  }
  many->bell = mpl_load32_acq(&mpl_super()->bell);
  many->doorbell = mpl_load32_acq(&mpl_self->doorbell);
  for (int i = 0; i < many->nec; i++) mpl_ec_arm_elsewhere(many->ec[i]);
}

/* Sleeps in ppoll. Signals that came before are seen in mpl_wait_attention, later ones end it. */
static enum mpl_status poll_until(struct mpl_many *many, int64_t end) {
  sigset_t all, before, during;
  enum mpl_status s = MPL_OK;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  during = before;
  sigdelset(&during, SIGURG);
  if (mpl_load32_rlx(&mpl_wait_attention) != 0)
    s = MPL_SIGNAL;
  else if (mpl_os_poll(many->fd, many->nfd, end, &during) < 0 && errno != EINTR)
    s = MPL_ERRNO;
  int error = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return s;
}

/* Sleeps until something may be ready: MPL_OK, look again; MPL_TIMEOUT; MPL_SIGNAL; MPL_ERRNO. */
enum mpl_status mpl_many_sleep(struct mpl_many *many, int64_t deadline) {
  int64_t now = mpl_os_now();
  if (now >= deadline) return mpl_store32_rlx(&mpl_self->polls, 0), MPL_TIMEOUT;
  if (mpl_load32_rlx(&mpl_wait_attention) != 0) return mpl_store32_rlx(&mpl_self->polls, 0), MPL_SIGNAL;
  int64_t end = deadline - now > MPL_EC_BACKSTOP ? now + MPL_EC_BACKSTOP : deadline;
  if (many->nfd == 0) {
    struct mpl_os_word words[2] = {{&mpl_super()->bell, many->bell},
                                   {&mpl_self->doorbell, many->doorbell}};
    return mpl_ec_sleep(words, 2, deadline, MPL_EC_BACKSTOP);
  }
  enum mpl_status s = poll_until(many, end);
  mpl_store32_rlx(&mpl_self->polls, 0);
  return s;
}
