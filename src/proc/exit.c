/*
** How processes end.
**
** A process that ends ordinarily first ends its daemons and waits for its other children
** (mpl_exit_join_children). A child then leaves by mpl_exit_child: it flushes its streams, gives back
** what it holds and is gone by _exit, so that nothing of its parent's runs in it: no exit handlers,
** no lua_close.
*/
#include "proc/exit.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "proc/child.h"
#include "proc/signal.h"
#include "shm/object.h"
#include "shm/reflist.h"
#include "shm/slot.h"

/* What is asked to end has this long before it is killed. */
#define GRACE_NS (2 * MPL_NS_PER_S)

static bool concerns(const struct mpl_child *child, bool daemons) {
  return !child->raw && (!daemons || child->daemon);
}

/* Sends a signal to all children, or the daemons alone, waits until they have ended and kills those
   that take too long; a Ctrl-C says that it has taken long enough. */
static void end_children(int sig, bool daemons) {
  mpl_child_reap();
  if (mpl_child_first() == NULL) return;
  int64_t deadline = mpl_os_now() + GRACE_NS;
  for (struct mpl_child *c = mpl_child_first(); c != NULL; c = c->next)
    if (concerns(c, daemons)) kill(c->pid, sig);
  for (struct mpl_child *c = mpl_child_first(), *next; c != NULL; c = next) {
    next = c->next; /* c leaves the table when it has ended */
    if (!concerns(c, daemons)) continue;
    if (mpl_child_join(c, deadline, MPL_SIGNAL_INTERRUPT) != MPL_OK) {
      kill(c->pid, SIGKILL);
      while (mpl_child_join(c, MPL_NEVER, 0) != MPL_OK) { /* it dies, whatever it waits for */
      }
    }
  }
  mpl_child_reap();
}

/* Ends the daemons and waits for the other children. MPL_OK; MPL_SIGNAL if SIGINT came, or MPL_DEADLOCK: the
   caller calls mpl_exit_interrupt_children, or this again. */
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
  fflush(NULL);
  mpl_store64_rlx(&mpl_self->exit_code, (uint64_t)(code & 255) + 1);
  mpl_reflist_drop_all(mpl_self);
  mpl_object_bury();
  mpl_store64_rlx(&mpl_self->state,
                  mpl_slot_state_word(mpl_slot_ident(mpl_self), MPL_SLOT_ENDED));
  _exit(code & 255);
}
