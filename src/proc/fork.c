/*
** The one fork procedure.
**
**   parent  1. private memory for the record of the child: nothing can fail after the fork
**           2. all signals blocked: no handler runs in a half-made child
**           3. every output stream flushed: nothing is printed twice
**           4. a slot reserved; a few slots of others looked at, so that the dead are noticed
**           5. the references of the parent counted once more for the child
**           6. fork
**   child   7. the slot claimed: from here on it is a member and its death is noticed
**           8. a daemon's parent-death signal set, and then looked whether the parent is still there
**           9. what was the parent's is forgotten: children, pending signals
**          10. signals unblocked
**   parent  7. the child entered into the table, or, if the fork failed, the slot given back
**           8. signals unblocked
**
** If the parent dies between 4 and 7, or the child before it has claimed the slot, the slot is taken
** back by whoever notices (shm/recover.c).
*/
#include "proc/fork.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "proc/signal.h"
#include "shm/recover.h"
#include "shm/reflist.h"
#include "shm/slot.h"

#define LOOK_AT 4 /* slots of others, at each fork */

static void (*at_child)(void);

/* f is called in each new child as the last step before signals are unblocked. */
void mpl_fork_at_child(void (*f)(void)) {
  at_child = f;
}

/* The child's part. It must not return into the script if it is no member. */
static void become_member(struct mpl_slot *slot, uint64_t ident, pid_t parent,
                          enum mpl_fork_kind kind) {
  if (!mpl_slot_claim(slot, ident)) {
    static const char text[] = "mpl: a child came too late to be a member of its program\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(1);
  }
  /* The kernel has cleared the signal for the child. A parent that died before the call will not be
     noticed by it. */
  if (kind == MPL_FORK_DAEMON &&
      (mpl_os_die_with_parent(SIGKILL) != 0 || getppid() != parent))
    kill(getpid(), SIGKILL);
  mpl_child_forget_all();
  mpl_signal_forget();
  if (at_child != NULL) at_child();
}

static enum mpl_status prepare(const char *name, enum mpl_fork_kind kind, struct mpl_slot **slot) {
  fflush(NULL);
  mpl_recover_some(LOOK_AT);
  enum mpl_status s = mpl_slot_reserve(name, kind == MPL_FORK_DAEMON, slot);
  if (s == MPL_OK) mpl_reflist_share(*slot);
  return s;
}

/*
** Forks. In the parent MPL_OK and the child's record, which is `wanted` by the caller unless the fork
** is raw; in the child MPL_OK and NULL. Otherwise nothing has happened: MPL_ERRNO (EAGAIN, ENOMEM, …),
** MPL_NOSLOT, MPL_NOMEM, MPL_NOPRIVATE.
*/
enum mpl_status mpl_fork(const char *name, enum mpl_fork_kind kind, struct mpl_child **child) {
  struct mpl_child *record = mpl_child_new();
  if (record == NULL) return MPL_NOPRIVATE;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  struct mpl_slot *slot;
  enum mpl_status s = prepare(name, kind, &slot);
  int error = errno;
  if (s == MPL_OK) {
    uint64_t ident = mpl_slot_ident(slot);
    pid_t parent = getpid(), pid = mpl_os_fork();
    error = errno;
    if (pid == 0) {
      become_member(slot, ident, parent, kind);
      mpl_child_keep(record);
      record = NULL;
    } else if (pid < 0) {
      mpl_recover_unclaimed(slot, ident);
      s = MPL_ERRNO;
    } else {
      record->pid = pid;
      record->ident = ident;
      record->daemon = kind == MPL_FORK_DAEMON;
      record->raw = kind == MPL_FORK_RAW;
      record->wanted = !record->raw;
      mpl_child_enter(record);
    }
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (s != MPL_OK) mpl_child_keep(record);
  *child = s == MPL_OK ? record : NULL;
  errno = error;
  return s;
}

/* fork(2) as it is to be called in place of the C library's: the child is a member of the program
   with its parent's name. Before there is an arena it is the C library's. */
pid_t mpl_fork_raw(void) {
  if (mpl_self == NULL) return mpl_os_fork();
  struct mpl_child *child;
  char name[MPL_SLOT_NAME];
  snprintf(name, sizeof name, "%s", mpl_self->name);
  enum mpl_status s = mpl_fork(name, MPL_FORK_RAW, &child);
  if (s == MPL_OK) return child == NULL ? 0 : child->pid;
  if (s != MPL_ERRNO) errno = s == MPL_NOSLOT ? EAGAIN : ENOMEM;
  return -1;
}
