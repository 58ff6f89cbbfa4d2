/*
** The lock that scripts use. Any process may release it, so it is not a mutex but one word that
** names its holder, taken by one compare-and-set, and an event count for those who wait.
**
** The word: 0 is free. Otherwise
**   bits 0-46   identity of the holding process (shm/slot.h)
**   bit 47      taken from a holder that had ended without releasing it, and not released since
**   bits 48-63  thread of the process
** A holder that ended leaves the word as it is: the next one to come sees that the identity lives
** no more and takes the lock over. Nobody has to clean up.
*/
#ifndef MPL_DS_LOCK_H
#define MPL_DS_LOCK_H

#include "shm/object.h"
#include "shm/wait.h"

struct mpl_lock {
  MPL_ALIGNED mpl_a64 word;
  struct mpl_ec released;
  mpl_a32 handed_over; /* 1: was once released by another process than its holder's; for good */
  mpl_a64 order;       /* how many locks the holder had taken before; by the holder, for reports */
};

struct mpl_lock_info {
  uint64_t holder; /* identity, 0: free */
  uint32_t thread;
  bool abandoned;  /* see mpl_lock_info_of */
};

void mpl_lock_register(void);
enum mpl_status mpl_lock_new(uint64_t *id);
uint64_t mpl_lock_holder(const void *body, uint64_t *order);
bool mpl_lock_is_held_by(const struct mpl_lock *lock, uint32_t thread);
bool mpl_lock_grab(struct mpl_lock *lock, uint32_t thread);
enum mpl_status mpl_lock_try(struct mpl_lock *lock, uint32_t thread, struct mpl_wait *w);
enum mpl_status mpl_lock_look(struct mpl_lock *lock, struct mpl_wait *w);
enum mpl_status mpl_lock_release(struct mpl_lock *lock);
void mpl_lock_pass_on(struct mpl_lock *lock);
struct mpl_lock_info mpl_lock_info_of(struct mpl_lock *lock);
void mpl_lock_holder_name(struct mpl_lock *lock, char name[MPL_SLOT_NAME]);

#endif
