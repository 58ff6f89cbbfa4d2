/*
** The child table: see child.h.
*/
#include "proc/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/point.h"
#include "proc/signal.h"
#include "shm/recover.h"
#include "shm/wait.h"

/* How often a join looks if SIGCHLD is not ours to hear. */
#define DEAF_NS (10 * 1000 * 1000LL)

/* How often one who waits for a process looks as long as that has no life word to sleep on. */
#define UNBORN_NS (5 * 1000 * 1000LL)

static struct mpl_child *first;
static struct mpl_child *watched; /* records with a pidfd, also of children that have ended */
static uint64_t ends; /* children that were found to have ended */
static struct mpl_child *spare; /* see mpl_child_keep; leaked at worst once in a process */

/* A record not yet in the table; NULL for lack of memory. */
struct mpl_child *mpl_child_new(void) {
  struct mpl_child *c = spare != NULL ? spare : malloc(sizeof *c);
  spare = NULL;
  if (c != NULL) *c = (struct mpl_child){.pidfd = -1, .exit_code = MPL_CHILD_CODE_UNKNOWN};
  return c;
}

/* A record that was not needed is kept for the next child: to free it would cost a new process page
   faults. */
void mpl_child_keep(struct mpl_child *child) {
  spare = child;
}

/* Puts the record of a forked child into the table. */
void mpl_child_enter(struct mpl_child *child) {
  child->owner = mpl_slot_ident(mpl_self);
  child->next = first;
  first = child;
}

static void close_pidfd(struct mpl_child *child) {
  for (struct mpl_child **p = &watched; *p != NULL; p = &(*p)->next_watched)
    if (*p == child) {
      *p = child->next_watched;
      break;
    }
  if (child->pidfd >= 0) close(child->pidfd);
  child->pidfd = -1;
}

static void dispose(struct mpl_child *child) {
  if (child->pidfd >= 0) close_pidfd(child);
  free(child);
}

/* No Lua value points at it any more. The record stays while the child lives. */
void mpl_child_unwanted(struct mpl_child *child) {
  child->wanted = false;
  if (child->ended || !mpl_child_is_mine(child)) dispose(child);
}

/* False for a child of the process that forked this one. */
bool mpl_child_is_mine(const struct mpl_child *child) {
  return child->owner == mpl_slot_ident(mpl_self);
}

/* The children that have not ended, as far as one knows; next by `next`. */
struct mpl_child *mpl_child_first(void) {
  return first;
}

/* In a new child: it has no children yet, and no use for its parent's descriptors. */
void mpl_child_forget_all(void) {
  while (watched != NULL) close_pidfd(watched);
  for (struct mpl_child *c = first, *next; c != NULL; c = next) {
    next = c->next;
    if (!c->wanted) dispose(c);
  }
  first = NULL;
}

/* What the child said of its end before it ended; for when somebody else has reaped it. */
static int code_from_slot(uint64_t ident) {
  struct mpl_slot *slot = mpl_slot_find(ident);
  uint64_t said = slot == NULL ? 0 : mpl_load64_rlx(&slot->exit_code);
  return said == 0 ? MPL_CHILD_CODE_UNKNOWN : (int)said - 1;
}

/* Cleans up after all children that are dead. They are not reaped: whoever goes through the table
   need not fear for its records. */
static void recover_all(void) {
  for (struct mpl_child *c = first; c != NULL; c = c->next) {
    if (mpl_slot_ident_lives(c->ident)) continue;
    if (mpl_slot_find(c->ident) != NULL) c->exit_code = code_from_slot(c->ident);
    mpl_recover(c->ident);
  }
}

/* Asks the system, once, whether the child has ended, and reaps it; not for raw ones. */
static bool reap(struct mpl_child *child) {
  int status, r = mpl_os_wait_pid(child->pid, &status);
  if (r == 0) return false;
  if (r > 0)
    child->exit_code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  else if (mpl_slot_find(child->ident) != NULL)
    child->exit_code = code_from_slot(child->ident);
  return true;
}

/* Raw children are reaped by whoever made them; that they are no members any more is seen all the
   same, unless they ended before they were. */
static bool raw_ended(const struct mpl_child *child) {
  return !mpl_slot_ident_lives(child->ident) || (kill(child->pid, 0) != 0 && errno == ESRCH);
}

static void remove_from_table(struct mpl_child *child) {
  for (struct mpl_child **p = &first; *p != NULL; p = &(*p)->next)
    if (*p == child) {
      *p = child->next;
      return;
    }
}

/* Whether the child has ended; if so it has been reaped and cleaned up after. Parent only. */
bool mpl_child_ended(struct mpl_child *child) {
  if (child->ended) return true;
  if (child->raw ? !raw_ended(child) : !reap(child)) return false;
  MPL_POINT();
  child->ended = true;
  ends++;
  remove_from_table(child);
  struct mpl_slot *slot = mpl_slot_find(child->ident);
  if (slot != NULL) mpl_recover_unclaimed(slot, child->ident);
  return true;
}

/* How many children were found to have ended so far, to see whether there are more. */
uint64_t mpl_child_ends(void) {
  return ends;
}

/* Reaps all children that have ended. */
void mpl_child_reap(void) {
  for (struct mpl_child *c = first, *next; c != NULL; c = next) {
    next = c->next;
    if (mpl_child_ended(c) && !c->wanted) dispose(c);
  }
}

/* Whoever waits for the end of a process, as others see it. */
static struct mpl_sleeper sleeper_for(uint64_t ident, int64_t deadline) {
  return (struct mpl_sleeper){.kind = MPL_WAIT_END,
                              .on = ident,
                              .mortal = ident,
                              .since = mpl_os_now(),
                              .endless = deadline == MPL_NEVER};
}

static enum mpl_status join(struct mpl_child *child, int64_t deadline, uint32_t attention,
                            struct mpl_sleeper *sleeper) {
  for (int64_t nap = 0;;) {
    struct mpl_os_word bell = {&mpl_self->doorbell, mpl_load32_acq(&mpl_self->doorbell)};
    if (mpl_signal_take(MPL_SIGNAL_CHILD)) recover_all();
    if (mpl_child_ended(child)) return MPL_OK;
    if (mpl_signal_pending(attention)) return MPL_SIGNAL;
    if (deadline <= 0) return MPL_TIMEOUT;
    nap = mpl_recover_watch(nap);
    int64_t slice = mpl_signal_hears_children() ? nap : DEAF_NS;
    if (mpl_deadlock_look(sleeper, &slice) != MPL_OK) return MPL_DEADLOCK;
    if (mpl_ec_sleep(&bell, 1, deadline, slice) == MPL_TIMEOUT) return MPL_TIMEOUT;
  }
}

/*
** Waits for the end of a child: MPL_OK, MPL_TIMEOUT, MPL_DEADLOCK, or MPL_SIGNAL if one of the bits
** `attention` is set. Parent only.
*/
enum mpl_status mpl_child_join(struct mpl_child *child, int64_t deadline, uint32_t attention) {
  struct mpl_sleeper sleeper = sleeper_for(child->ident, deadline);
  enum mpl_status s = join(child, deadline, attention, &sleeper);
  if (sleeper.look_at != 0) mpl_deadlock_awake();
  return s;
}

static enum mpl_status join_stranger(uint64_t ident, int64_t deadline,
                                     struct mpl_sleeper *sleeper) {
  for (int64_t nap = 0;;) {
    struct mpl_slot *slot = mpl_slot_find(ident);
    if (slot == NULL) return MPL_OK;
    struct mpl_os_word words[2] = {
        {mpl_slot_life_word(slot), mpl_slot_life_arm(slot)},
        {&mpl_self->doorbell, mpl_load32_acq(&mpl_self->doorbell)}};
    mpl_recover(ident);
    if (!mpl_slot_ident_lives(ident)) return MPL_OK;
    if (mpl_load32_rlx(&mpl_wait_attention) != 0) return MPL_SIGNAL;
    nap = mpl_slot_state_of(slot) == MPL_SLOT_RESERVED ? UNBORN_NS : mpl_recover_watch(nap);
    int64_t slice = nap;
    if (mpl_deadlock_look(sleeper, &slice) != MPL_OK) return MPL_DEADLOCK;
    if (mpl_ec_sleep(words, 2, deadline, slice) == MPL_TIMEOUT) return MPL_TIMEOUT;
  }
}

/* Waits for the end of a process that is not a child: MPL_OK, MPL_TIMEOUT, MPL_DEADLOCK, MPL_SIGNAL
   (any). */
enum mpl_status mpl_child_join_stranger(uint64_t ident, int64_t deadline) {
  struct mpl_sleeper sleeper = sleeper_for(ident, deadline);
  enum mpl_status s = join_stranger(ident, deadline, &sleeper);
  if (sleeper.look_at != 0) mpl_deadlock_awake();
  return s;
}

/* A descriptor that polls readable once the child has ended, the same at each call; -1 and
   errno. */
int mpl_child_pidfd(struct mpl_child *child) {
  if (child->pidfd >= 0) return child->pidfd;
  child->pidfd = mpl_child_ended(child) ? mpl_os_ready_fd() : mpl_os_pidfd(child->pid);
  if (child->pidfd >= 0) {
    child->next_watched = watched;
    watched = child;
  }
  return child->pidfd;
}

/* Sends a signal to a child that has not ended; 0, or -1 and errno. Nothing after its end: it is
   looked up first, so that no stranger with the same pid gets it. */
int mpl_child_signal(struct mpl_child *child, int sig) {
  if (mpl_child_ended(child)) return 0;
  MPL_POINT();
  return kill(child->pid, sig) == 0 || errno == ESRCH ? 0 : -1;
}
