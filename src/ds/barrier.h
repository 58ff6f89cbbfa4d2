/*
** Barriers: parties wait for one another, round after round.
**
** Each round is a block of its own, which those who came to it know: how it ended stays true for
** them however late they look, and a fast party that comes again comes to the next round. A round
** is filled party by party, then the last one may act before anybody leaves, then it has passed;
** or it is broken, by a time-out while it was filled, by mpl_barrier_abort or _reset, by an action
** that failed, or because one of its parties died.
**
** A broken barrier stays so, and refuses everybody, until it is reset.
**
** Who waits watches its own round: as long as that is filled recovery wakes it for each party that
** dies asleep; when it acts it sleeps on the life of the one that does, who may be anywhere in a
** script.
*/
#ifndef MPL_DS_BARRIER_H
#define MPL_DS_BARRIER_H

#include "shm/object.h"
#include "shm/wait.h"

/* More parties than a program can have processes never meet. */
#define MPL_BARRIER_MOST (MPL_SLOT_CHUNK * MPL_SLOT_CHUNKS)

enum mpl_barrier_end {
  MPL_BARRIER_FILLING,
  MPL_BARRIER_ACTING,
  MPL_BARRIER_PASSED,
  MPL_BARRIER_BROKEN
};

struct mpl_barrier_round {
  mpl_a64 older;   /* in the barrier's list */
  mpl_a64 end;     /* enum mpl_barrier_end; waiters watch it. How it ended is published */
  mpl_a64 arrived;
  mpl_a64 party[]; /* identities in the order of arrival; 0 once one has left */
};

struct mpl_barrier {
  MPL_ALIGNED struct mpl_robust guard;
  mpl_a64 parties; /* never changed, like the next three */
  mpl_a64 timeout; /* ns that a wait lasts if it is not said; MPL_NEVER */
  mpl_a64 acts;    /* 1: the last party of a round has something to do */
  mpl_a64 action;  /* a message with what that is; 0: none, or it could not be put into a message */
  mpl_a64 current; /* the round that is being filled or acts, 0: none */
  mpl_a64 rounds;  /* all rounds that somebody may still look at, newest first */
  mpl_a64 broken;
  MPL_ALIGNED struct mpl_ec changed;
};

void mpl_barrier_register(void);
enum mpl_status mpl_barrier_new(uint64_t parties, int64_t timeout, bool acts, mpl_off action,
                                uint64_t *id);

enum mpl_status mpl_barrier_enter(struct mpl_barrier *b, mpl_off *round, uint64_t *index,
                                  struct mpl_wait *w);
enum mpl_status mpl_barrier_try(struct mpl_barrier *b, mpl_off round, uint64_t index,
                                struct mpl_wait *w);
enum mpl_status mpl_barrier_pass(struct mpl_barrier *b, mpl_off round);
enum mpl_status mpl_barrier_leave(struct mpl_barrier *b, mpl_off round, uint64_t index);
enum mpl_status mpl_barrier_late(struct mpl_barrier *b, mpl_off round, uint64_t index);
enum mpl_status mpl_barrier_abort(struct mpl_barrier *b);
enum mpl_status mpl_barrier_reset(struct mpl_barrier *b);
uint64_t mpl_barrier_waiting(struct mpl_barrier *b);

static inline bool mpl_barrier_is_broken(const struct mpl_barrier *b) {
  return mpl_load64_acq(&b->broken) != 0;
}

#endif
