/*
** The one fork procedure.
**
**   parent  1. private memory for the record of the child: nothing can fail after the fork
**           2. every output stream flushed: nothing is printed twice
**           3. all signals blocked: no handler runs in a half-made child
**           4. a few slots of others looked at, so that the dead are noticed; a slot reserved
**           5. the references of the parent counted once more for the child
**           6. fork
**   child   7. the slot claimed: from here on it is a member and its death is noticed
**           8. a daemon's parent-death signal set, then looked whether the parent is still there
**           9. what was the parent's is forgotten: children, pending signals
**          10. signals unblocked
**   parent  7. the child's pid said in the slot, its record entered into the table; or, if the fork
**              failed, the slot given back
**           8. signals unblocked
**
** If the parent dies before it has said the pid there was no fork: the slot is taken back, and a
** child that has not claimed it by then ends unseen. If the child dies before it has claimed the
** slot, that is taken back, too, by whoever notices (shm/recover.c).
*/
#include "proc/fork.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "base/point.h"
#include "proc/signal.h"
#include "shm/recover.h"
#include "shm/reflist.h"
#include "shm/slot.h"

#define LOOK_AT 4 /* slots of others, at each fork */

/* The fork under way is mpl_fork's, so that the handlers below have nothing to do. */
static bool ours;

/* The child's part. It must not return into the script if it is no member. */
static void become_member(struct mpl_slot *slot, uint64_t ident, pid_t parent,
                          enum mpl_fork_kind kind) {
  if (!mpl_slot_claim(slot, ident)) {
    /* If the parent died during the fork there was no fork: nothing is to be seen of it. */
    static const char text[] = "mpl: a child came too late to be a member of its program\n";
    if (getppid() == parent) (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(1);
  }
  /* The kernel has cleared the signal for the child. A parent that died before the call will not be
     noticed by it. */
  if (kind == MPL_FORK_DAEMON &&
      (mpl_os_die_with_parent(SIGKILL) != 0 || getppid() != parent))
    kill(getpid(), SIGKILL);
  MPL_POINT();
  mpl_child_forget_all();
  mpl_signal_forget();
}

static enum mpl_status prepare(const char *name, enum mpl_fork_kind kind, struct mpl_slot **slot) {
  mpl_recover_some(LOOK_AT);
  mpl_reflist_sweep();
  enum mpl_status s = mpl_slot_reserve(name, slot);
  if (s != MPL_OK) return s;
  mpl_store64_rlx(&(*slot)->raw, kind == MPL_FORK_RAW);
  mpl_store64_rlx(&(*slot)->daemon, kind == MPL_FORK_DAEMON);
  s = mpl_reflist_share(*slot);
  if (s != MPL_OK) mpl_recover_unclaimed(*slot, mpl_slot_ident(*slot));
  return s;
}

/*
** Forks. In the parent MPL_OK and the child's record, which is `wanted` by the caller unless the
** fork is raw; in the child MPL_OK and NULL. Otherwise nothing has happened: MPL_ERRNO (EAGAIN,
** ENOMEM, …), MPL_NOSLOT, MPL_NOMEM, MPL_NOPRIVATE.
*/
enum mpl_status mpl_fork(const char *name, enum mpl_fork_kind kind, struct mpl_child **child) {
  /* In the middle of receiving (a module that a message needs is being loaded) a child that went on
     from here would take its parent's messages apart. */
  if (kind == MPL_FORK_RAW && mpl_load64_rlx(&mpl_self->hand_count) != 0)
    return errno = EAGAIN, MPL_ERRNO;
  struct mpl_child *record = mpl_child_new();
  if (record == NULL) return MPL_NOPRIVATE;
  MPL_POINT();
  fflush(NULL); /* before signals are blocked: it may take long */
  sigset_t all, before;
  sigfillset(&all);
  MPL_POINT();
  sigprocmask(SIG_SETMASK, &all, &before);
  struct mpl_slot *slot;
  enum mpl_status s = prepare(name, kind, &slot);
  int error = errno;
  if (s == MPL_OK) {
    uint64_t ident = mpl_slot_ident(slot);
    ours = true;
    pid_t parent = getpid(), pid = mpl_os_fork();
    ours = false;
    error = errno;
    if (pid == 0) {
      become_member(slot, ident, parent, kind);
      mpl_child_keep(record);
      record = NULL;
    } else if (pid < 0) {
      mpl_recover_unclaimed(slot, ident);
      s = MPL_ERRNO;
    } else {
      MPL_POINT();
      mpl_slot_forked(slot, ident, pid);
      record->pid = pid;
      record->ident = ident;
      record->daemon = kind == MPL_FORK_DAEMON;
      record->raw = kind == MPL_FORK_RAW;
      record->wanted = !record->raw;
      mpl_child_enter(record);
    }
  }
  MPL_POINT();
  sigprocmask(SIG_SETMASK, &before, NULL);
  MPL_POINT();
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

/*
** Forks that do not come here, where the program cannot put its own fork() before the C library's:
** under a stock Lua, with process.so. The C library tells that it forks, but neither the child's
** pid nor whether it failed; a slot whose fork failed is taken back when it has not been claimed
** for a while (shm/recover.c).
*/

static struct mpl_slot *foreign_slot;
static uint64_t foreign_ident;
static pid_t foreign_parent;

static void before_foreign(void) {
  if (ours || mpl_self == NULL) return;
  char name[MPL_SLOT_NAME];
  mpl_slot_get_name(mpl_self, name);
  fflush(NULL);
  if (prepare(name, MPL_FORK_RAW, &foreign_slot) != MPL_OK) {
    foreign_slot = NULL;
    return;
  }
  foreign_ident = mpl_slot_ident(foreign_slot);
  foreign_parent = getpid();
  mpl_store64_rlx(&foreign_slot->reserver, 0);
}

static void after_foreign_in_child(void) {
  if (ours || mpl_self == NULL) return;
  if (foreign_slot == NULL) {
    /* No slot: it must not act under its parent's identity. */
    mpl_self = NULL;
    return;
  }
  become_member(foreign_slot, foreign_ident, foreign_parent, MPL_FORK_RAW);
}

/* Makes forks by others known; once in a program. False for lack of memory. */
bool mpl_fork_watch(void) {
  return pthread_atfork(before_foreign, NULL, after_foreign_in_child) == 0;
}
