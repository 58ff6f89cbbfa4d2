/*
** Event counts: see eventcount.h. mpl_ec_sleep is the one place of mpl that sleeps on words.
*/
#include "sync/eventcount.h"

#include <errno.h>

#include "base/point.h"

/* Without futex_waitv only the first of several words can be slept on; the others are looked at
   this often. */
#define POLL_NS (5 * 1000 * 1000LL)

static void (*ring_elsewhere)(void);

/* Installs what wakes those who wait elsewhere; once, before anybody does. */
void mpl_ec_install(void (*ring)(void)) {
  ring_elsewhere = ring;
}

/* Says that the caller, who has said where, is about to sleep elsewhere. It must look at the state
   again before it does. Stores even if the flag is set: a signaller that takes it back after this
   store sees where, one that took it back before finds it set again. */
void mpl_ec_arm_elsewhere(struct mpl_ec *ec) {
  mpl_or32_ar(&ec->word, MPL_EC_ELSEWHERE);
  mpl_fence_sc();
}

/* Says that the caller is about to sleep; returns the value of the word to sleep on. The caller
   must look at the state again before it does. */
uint32_t mpl_ec_arm(struct mpl_ec *ec) {
  uint32_t v = mpl_load32_rlx(&ec->word);
  MPL_POINT();
  if ((v & MPL_EC_ASLEEP) == 0) v = mpl_or32_ar(&ec->word, MPL_EC_ASLEEP) | MPL_EC_ASLEEP;
  MPL_POINT();
  mpl_fence_sc();
  return v;
}

/*
** Changes the count and wakes up to n sleepers; the caller has changed the state before. With fewer
** than n sleepers the flag is taken back, unless somebody has armed or signalled since.
*/
void mpl_ec_wake(struct mpl_ec *ec, int n) {
  MPL_POINT();
  uint32_t v = mpl_add32_ar(&ec->word, MPL_EC_ONE) + MPL_EC_ONE;
  MPL_POINT();
  if ((v & MPL_EC_ELSEWHERE) != 0) {
    v = mpl_and32_ar(&ec->word, ~MPL_EC_ELSEWHERE) & ~MPL_EC_ELSEWHERE;
    MPL_POINT();
    ring_elsewhere();
  }
  if (mpl_os_futex_wake(&ec->word, n) < n && (v & MPL_EC_ASLEEP) != 0) {
    uint32_t expected = v;
    MPL_POINT();
    /* Who armed and fell asleep since the wake-up saw the flag set and left it alone: has to arm
       anew. */
    if (mpl_cas32_ar(&ec->word, &expected, v & ~MPL_EC_ASLEEP))
      mpl_os_futex_wake(&ec->word, MPL_EC_ALL);
  }
}

/* As mpl_ec_wake for all, in the place of a signaller that died: it may have taken the flag
   "elsewhere" back and not rung. */
void mpl_ec_wake_for_dead(struct mpl_ec *ec) {
  mpl_or32_ar(&ec->word, MPL_EC_ELSEWHERE);
  mpl_ec_wake(ec, MPL_EC_ALL);
}

/*
** Sleeps until one of the words differs from what was seen or is woken, a signal arrives, or the
** backstop (nanoseconds) ends: MPL_OK, "look again". MPL_TIMEOUT once the deadline has passed.
*/
enum mpl_status mpl_ec_sleep(const struct mpl_os_word *words, int n, int64_t deadline,
                             int64_t backstop) {
  int64_t now = mpl_os_now();
  if (now >= deadline) return MPL_TIMEOUT;
  bool poll = n > 1 && !mpl_os_has_waitv();
  int64_t slice = poll ? POLL_NS : backstop;
  int64_t end = deadline - now > slice ? now + slice : deadline;
  if (poll || n == 1) {
    for (int i = 1; i < n; i++)
      if (mpl_load32_acq(words[i].word) != words[i].seen) return MPL_OK;
    mpl_os_futex_wait(words[0].word, words[0].seen, end);
  } else {
    mpl_os_futex_waitv(words, n, end);
  }
  return MPL_OK;
}
