/*
** How processes end.
**
** A process that ends ordinarily first ends its daemons and waits for its other children
** (mpl_exit_join_children). A child then leaves by mpl_exit_child: it flushes its streams, gives
** back what it holds and is gone by _exit, so that nothing of its parent's runs in it: no exit
** handlers, no lua_close.
*/
#include "proc/exit.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/point.h"
#include "proc/child.h"
#include "proc/signal.h"
#include "shm/object.h"
#include "shm/reflist.h"
#include "shm/slot.h"

/* What is asked to end has this long before it is killed. */
#define GRACE_NS (2 * MPL_NS_PER_S)

/* What was killed dies within this, unless the system is in trouble. */
#define DEATH_NAP_NS (100 * 1000L)
#define DEATH_NAPS 10000

static bool concerns(const struct mpl_child *child, bool daemons) {
  return !child->raw && (!daemons || child->daemon);
}

/*
** Killing a family: a process of which only its identity is left to know, and all that it has
** started, but for plain forks. Safe in signal handlers: it reads shared memory, kills and sleeps.
*/

static bool is_child_of(const struct mpl_slot *slot, uint64_t ident) {
  return mpl_slot_state_of(slot) != MPL_SLOT_FREE && mpl_load64_rlx(&slot->parent) == ident &&
         mpl_load64_rlx(&slot->raw) == 0;
}

/* Also if it has not become a member yet; 0 if there is none. */
static pid_t pid_of(const struct mpl_slot *slot) {
  bool born = mpl_slot_state_of(slot) != MPL_SLOT_RESERVED;
  return born ? (pid_t)mpl_load64_rlx(&slot->pid)
              : (pid_t)(mpl_load64_rlx(&slot->forked) & UINT32_MAX);
}

/* A killed process may be in the middle of a fork: only when it is dead are all of its children
   known. */
static void await_death(uint64_t ident) {
  const struct timespec t = {.tv_nsec = DEATH_NAP_NS};
  for (int i = 0; i < DEATH_NAPS && mpl_slot_ident_lives(ident); i++) {
    struct mpl_slot *slot = mpl_slot_find(ident);
    if (slot != NULL && mpl_slot_state_of(slot) == MPL_SLOT_RESERVED) return; /* no child yet */
    nanosleep(&t, NULL);
  }
}

/* Kills the children of the process of this identity, dead or the caller, and theirs. One after the
   other: the slot of a dead child can be given back by others at once, and then only the caller
   knows who it was. */
void mpl_exit_kill_family(uint64_t ident) {
  uint64_t count = mpl_slot_count();
  for (uint64_t i = 0; i < count; i++) {
    struct mpl_slot *slot = mpl_slot_at(i);
    uint64_t child = mpl_slot_ident(slot);
    if (!is_child_of(slot, ident)) continue;
    pid_t pid = pid_of(slot);
    if (pid > 0 && mpl_slot_ident_lives(child)) kill(pid, SIGKILL);
    await_death(child);
    mpl_exit_kill_family(child);
  }
}

/*
** Ending children
*/

/* Sends a signal to the children, or the daemons alone. */
static void signal_children(int sig, bool daemons) {
  for (struct mpl_child *c = mpl_child_first(); c != NULL; c = c->next) {
    if (!concerns(c, daemons)) continue;
    struct mpl_slot *slot = mpl_slot_find(c->ident);
    if (sig == SIGINT && slot != NULL)
      mpl_store64_rlx(&slot->interrupt, MPL_SLOT_INTERRUPT_PASSED);
    MPL_POINT();
    kill(c->pid, sig);
  }
}

/* Sends a signal to all children, or the daemons alone, waits until they have ended and kills those
   that take too long, after SIGINT with their families; a Ctrl-C says that it has taken long
   enough. */
static void end_children(int sig, bool daemons) {
  mpl_child_reap();
  if (mpl_child_first() == NULL) return;
  int64_t deadline = mpl_os_now() + GRACE_NS;
  signal_children(sig, daemons);
  for (struct mpl_child *c = mpl_child_first(), *next; c != NULL; c = next) {
    next = c->next; /* c leaves the table when it has ended */
    if (!concerns(c, daemons)) continue;
    if (mpl_child_join(c, deadline, MPL_SIGNAL_INTERRUPT) != MPL_OK) {
      MPL_POINT();
      kill(c->pid, SIGKILL);
      while (mpl_child_join(c, MPL_NEVER, 0) != MPL_OK) { /* it dies, whatever it waits for */
      }
    }
    if (sig == SIGINT && c->exit_code < 0) mpl_exit_kill_family(c->ident);
  }
  mpl_child_reap();
}

/* Ends the daemons and waits for the other children. MPL_OK; MPL_SIGNAL if SIGINT came, or
   MPL_DEADLOCK: the caller calls mpl_exit_interrupt_children, or this again. */
enum mpl_status mpl_exit_join_children(void) {
  end_children(SIGTERM, true);
  for (;;) {
    struct mpl_child *c = mpl_child_first();
    while (c != NULL && c->raw) c = c->next;
    if (c == NULL) return MPL_OK;
    enum mpl_status s = mpl_child_join(c, MPL_NEVER, MPL_SIGNAL_INTERRUPT);
    if (s != MPL_OK) return s;
    mpl_child_reap();
  }
}

/* The program was interrupted: so are the children, and those that do not end are killed. */
void mpl_exit_interrupt_children(void) {
  end_children(SIGINT, false);
  mpl_signal_take(MPL_SIGNAL_INTERRUPT);
}

/* Ends a child for good. */
_Noreturn void mpl_exit_child(int code) {
  MPL_POINT();
  fflush(NULL);
  MPL_POINT();
  mpl_store64_rlx(&mpl_self->exit_code, (uint64_t)(code & 255) + 1);
  mpl_reflist_drop_all(mpl_self);
  mpl_object_bury();
  MPL_POINT();
  mpl_store64_rlx(&mpl_self->state,
                  mpl_slot_state_word(mpl_slot_ident(mpl_self), MPL_SLOT_ENDED));
  MPL_POINT();
  _exit(code & 255);
}
