/*
** Waiting for many things: see many.h.
**
** SIGURG is blocked between the look and the sleep, but in ppoll, so that one sent meanwhile is
** not missed. The signals with handlers of their own are blocked there, too: those that came
** before have left a mark in mpl_wait_attention. The mask is put back at once: children and
** programs that are executed inherit it.
*/
#include "shm/many.h"

#include <errno.h>

#include "base/os.h"
#include "shm/recover.h"
#include "shm/super.h"

/* Wakes all who wait elsewhere: they look for themselves whether it concerns them. */
static void ring(void) {
  struct mpl_super *super = mpl_super();
  mpl_add32_ar(&super->bell, 1);
  mpl_os_futex_wake(&super->bell, INT32_MAX);
  for (uint64_t i = 0; i < mpl_slot_count(); i++) {
    struct mpl_slot *slot = mpl_slot_at(i);
    if (mpl_load32_acq(&slot->polls) == 0 || mpl_slot_state_of(slot) != MPL_SLOT_LIVE) continue;
    /* Should the pid be a stranger's by now that one ignores SIGURG, unless it asked for it. */
    pid_t pid = (pid_t)mpl_load64_rlx(&slot->pid);
    if (pid > 0 && mpl_slot_lives(slot)) kill(pid, SIGURG);
  }
}

/* Makes event counts ring the bell; before the first wait. */
void mpl_many_install(void) {
  mpl_ec_install(ring);
}

static void handle_urgent(int sig) {
  (void)sig; /* it ends ppoll, that is all */
}

/* SIGURG is ours from now on. SA_RESTART: one that comes late does not end a script's own read. */
static void hear_urgent(void) {
  static bool heard;
  if (heard) return;
  struct sigaction a = {.sa_handler = handle_urgent, .sa_flags = SA_RESTART};
  sigemptyset(&a.sa_mask);
  sigaction(SIGURG, &a, NULL);
  heard = true;
}

/* The caller is about to look and then to sleep, or to call mpl_many_disarm. */
void mpl_many_arm(struct mpl_many *many) {
  if (many->nfd > 0) {
    sigset_t urgent;
    hear_urgent();
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    sigprocmask(SIG_BLOCK, &urgent, &many->mask);
    mpl_store32_rel(&mpl_self->polls, 1);
  }
  many->bell = mpl_load32_acq(&mpl_super()->bell);
  many->doorbell = mpl_load32_acq(&mpl_self->doorbell);
  for (int i = 0; i < many->nec; i++) mpl_ec_arm_elsewhere(many->ec[i]);
}

/* The caller has found something and does not sleep. */
void mpl_many_disarm(struct mpl_many *many) {
  if (many->nfd == 0) return;
  mpl_store32_rlx(&mpl_self->polls, 0);
  sigprocmask(SIG_SETMASK, &many->mask, NULL);
}

/* Sleeps in ppoll. Signals that came before are seen in mpl_wait_attention, later ones end it. */
static enum mpl_status poll_until(struct mpl_many *many, int64_t end) {
  sigset_t all, during = many->mask;
  sigfillset(&all);
  sigdelset(&during, SIGURG);
  sigprocmask(SIG_SETMASK, &all, NULL); /* until mpl_many_disarm */
  if (mpl_load32_rlx(&mpl_wait_attention) != 0) return MPL_SIGNAL;
  return mpl_os_poll(many->fd, many->nfd, end, &during) < 0 && errno != EINTR ? MPL_ERRNO : MPL_OK;
}

static enum mpl_status sleep_on_words(struct mpl_many *many, int64_t deadline, int64_t slice) {
  struct mpl_os_word words[3] = {{&mpl_super()->bell, many->bell},
                                 {&mpl_self->doorbell, many->doorbell}};
  struct mpl_slot *mortal = mpl_slot_find(many->mortal);
  int n = 2;
  if (mortal != NULL) {
    words[n++] = (struct mpl_os_word){mpl_slot_life_word(mortal), mpl_slot_life_arm(mortal)};
    if (!mpl_slot_ident_lives(many->mortal)) return MPL_OK;
  }
  enum mpl_status s = mpl_ec_sleep(words, n, deadline, slice);
  /* The kernel has woken one of those who wait for this death; the others are woken here. */
  if (mortal != NULL && !mpl_slot_lives(mortal))
    mpl_os_futex_wake(mpl_slot_life_word(mortal), INT32_MAX);
  return s;
}

static enum mpl_status sleep_until(struct mpl_many *many, int64_t deadline) {
  int64_t now = mpl_os_now();
  if (now >= deadline) return MPL_TIMEOUT;
  if (mpl_load32_rlx(&mpl_wait_attention) != 0) return MPL_SIGNAL;
  many->backstop = mpl_recover_watch(many->backstop);
  int64_t slice = many->backstop < MPL_EC_BACKSTOP ? many->backstop : MPL_EC_BACKSTOP;
  if (many->nfd == 0) return sleep_on_words(many, deadline, slice);
  return poll_until(many, deadline - now > slice ? now + slice : deadline);
}

/* Sleeps until something may be ready: MPL_OK, look again; MPL_TIMEOUT; MPL_SIGNAL; MPL_ERRNO. */
enum mpl_status mpl_many_sleep(struct mpl_many *many, int64_t deadline) {
  enum mpl_status s = sleep_until(many, deadline);
  int error = errno;
  mpl_many_disarm(many);
  errno = error;
  return s;
}
