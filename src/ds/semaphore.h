/*
** Semaphores: a number of tokens, taken by compare-and-set, and an event count for those who wait.
**
** A token that a process took and died with is gone: nobody knows who has which.
*/
#ifndef MPL_DS_SEMAPHORE_H
#define MPL_DS_SEMAPHORE_H

#include "shm/object.h"
#include "shm/wait.h"

struct mpl_semaphore {
  MPL_ALIGNED mpl_a64 tokens;
  mpl_a64 most;     /* of a bounded one; else MPL_SEMAPHORE_MOST. Never changed */
  mpl_a64 releaser; /* identity of the last one; a hint */
  struct mpl_ec released;
};

#define MPL_SEMAPHORE_MOST ((uint64_t)INT64_MAX)

void mpl_semaphore_register(void);
enum mpl_status mpl_semaphore_new(uint64_t tokens, bool bounded, uint64_t *id);
enum mpl_status mpl_semaphore_try(struct mpl_semaphore *s, struct mpl_wait *w);
enum mpl_status mpl_semaphore_release(struct mpl_semaphore *s);
void mpl_semaphore_pass_on(struct mpl_semaphore *s);

static inline uint64_t mpl_semaphore_tokens(const struct mpl_semaphore *s) {
  return mpl_load64_rlx(&s->tokens);
}

#endif
