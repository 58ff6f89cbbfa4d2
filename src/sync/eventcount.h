/*
** Event counts: how a process sleeps until something changes, without a list of waiters in shared
** memory that a dead waiter could spoil.
**
** A waiter arms the event count, looks once more whether it has to wait, and sleeps until the word
** differs from what arming returned. A signaller changes the state first and then calls
** mpl_ec_signal, which is a fence and a load where nobody waits. Either the signaller sees the flag
** or the waiter sees the change. (Dekker's argument; the idea of event counts: Reed and Kanodia,
** "Synchronization with eventcounts and sequencers", CACM 1979.)
**
** The word:
**   bit 0      somebody may be asleep. Legal to be set when nobody is (a sleeper died or its time
**              was up): it costs one system call. Illegal to be clear while somebody sleeps on the
**              word.
**   bit 1      somebody waits elsewhere: for so many things, or for descriptors too, that it cannot
**              sleep on the word. A signaller that sees it clears it and calls the function
**              installed for that (shm/many.c). The same rules hold.
**   bits 2-31  the count, changed by every signal that saw a flag. Wraps around; a sleeper would
**              have to miss 2^30 signals between arming and sleeping to be fooled, and the backstop
**              of mpl_ec_sleep would still end its sleep.
*/
#ifndef MPL_SYNC_EVENTCOUNT_H
#define MPL_SYNC_EVENTCOUNT_H

#include "base/atomic.h"
#include "base/os.h"
#include "base/status.h"

#define MPL_EC_ALL INT32_MAX

/* How long a sleep lasts before the sleeper looks again, ns: the backstop for a wake-up that was
   lost with a process which nobody has noticed to be dead yet. */
#define MPL_EC_BACKSTOP MPL_NS_PER_S

#define MPL_EC_ASLEEP 1u
#define MPL_EC_ELSEWHERE 2u
#define MPL_EC_ONE 4u /* of the count */

struct mpl_ec {
  mpl_a32 word;
};

void mpl_ec_install(void (*ring)(void));
void mpl_ec_arm_elsewhere(struct mpl_ec *ec);

uint32_t mpl_ec_arm(struct mpl_ec *ec);
void mpl_ec_wake(struct mpl_ec *ec, int n);
void mpl_ec_wake_for_dead(struct mpl_ec *ec);
enum mpl_status mpl_ec_sleep(const struct mpl_os_word *words, int n, int64_t deadline,
                             int64_t backstop);

/* True if a signaller that has just changed the state must call mpl_ec_wake. */
static inline bool mpl_ec_awaited(struct mpl_ec *ec) {
  mpl_fence_sc();
  return (mpl_load32_rlx(&ec->word) & (MPL_EC_ASLEEP | MPL_EC_ELSEWHERE)) != 0;
}

#endif
